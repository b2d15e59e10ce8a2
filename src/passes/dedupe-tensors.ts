import { createHash } from 'node:crypto';
import type { Change } from '../core/model.ts';
import { modelTensorName } from '../core/names.ts';
import { rowBytes, rowRanges, type Tensor } from '../core/tensor.ts';
import { type Pass, withChanges } from './pass.ts';

const NAME = 'dedupe-tensors';
const READ_BYTES = 1 << 20;

/**
 * Lets matrices of the same bytes be one: they keep their names and share their place in the source, by which
 * exporters that can store them once know them. A head that is the embedding becomes tied to it and goes.
 * Reads only matrices whose scheme and shape another one has.
 */
export const dedupeTensors = {
  name: NAME,
  summary: 'store equal matrices once, and tie a head that equals the embedding',
  defaults: {},
  async run(model, _, { signal }) {
    const tensors = new Map(model.tensors);
    const changes: Change[] = [];
    for (const alike of sameLayout([...tensors.values()])) {
      const first = new Map<string, Tensor>();
      for (const tensor of alike) {
        const digest = await digestOf(tensor, signal);
        const twin = first.get(digest);
        if (twin === undefined) first.set(digest, tensor);
        else {
          tensors.set(tensor.name, { ...twin, name: tensor.name, readRows: twin.readRows.bind(twin) });
          changes.push(changeOf(tensor.name, `the bytes of ${twin.name}`));
        }
      }
    }
    if (changes.length === 0) return model;
    const [embedding, head] = (['embed_tokens', 'lm_head'] as const).map((role) => modelTensorName(role));
    const ties = changes.some(({ subject, to }) => subject === head && to.endsWith(embedding!));
    if (!ties) return withChanges(model, changes, { tensors });
    tensors.delete(head!);
    return withChanges(model, [...changes, changeOf('config', 'tied embeddings')], {
      tensors,
      config: { ...model.config, tieWordEmbeddings: true },
    });
  },
} satisfies Pass;

function changeOf(subject: string, to: string): Change {
  return { pass: NAME, subject, from: 'bytes of its own', to, reason: 'they are equal' };
}

/** Groups of two matrices at least that may be equal; norms are too small to matter. */
function sameLayout(tensors: readonly Tensor[]): Tensor[][] {
  const groups = new Map<string, Tensor[]>();
  for (const tensor of tensors.filter(({ shape }) => shape.length > 1)) {
    const layout = `${tensor.scheme} ${tensor.shape}`;
    groups.set(layout, [...(groups.get(layout) ?? []), tensor]);
  }
  return [...groups.values()].filter((group) => group.length > 1);
}

async function digestOf(tensor: Tensor, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for (const range of rowRanges(tensor, READ_BYTES)) {
    const bytes = new Uint8Array(range.count * rowBytes(tensor));
    await tensor.readRows(range, bytes, signal);
    hash.update(bytes);
  }
  return hash.digest('hex');
}
