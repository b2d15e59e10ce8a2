import type { PlmConfig } from '../../src/core/config.ts';
import { invalidInput } from '../../src/core/errors.ts';
import { modelTensorName } from '../../src/core/names.ts';
import { type SchemeName, schemeBytes } from '../../src/core/scheme.ts';
import { elementCount } from '../../src/core/tensor.ts';
import { decoderOf } from '../../src/schemes/index.ts';
import type { Checkpoint, StoredTensor } from './checkpoint.ts';
import type { HfConfig } from './config.ts';

const EMBEDDING = modelTensorName('embed_tokens');
const HEAD = modelTensorName('lm_head');
/** Values compared at a time: some megabytes of both. */
const CHUNK = 1 << 18;

const KEEP = 'set tie_word_embeddings to false to keep this head';

export interface SettledHead {
  readonly plm: PlmConfig;
  readonly notes: readonly string[];
}

/**
 * Decides whether the head is tied where a file has both matrices, which it compares. Equal ones are tied.
 * Where they differ and config.json ties them, Transformers 4 drops the head and Transformers 5 uses it: one
 * of them is not the model that was trained, so the file is refused. Where config.json is silent, both use
 * the head.
 */
export async function settleHead(
  { plm, tied }: Pick<HfConfig, 'plm' | 'tied'>,
  { tensors }: Checkpoint,
): Promise<SettledHead> {
  const [embedding, head] = [tensors.get(EMBEDDING), tensors.get(HEAD)];
  if (tied === false || head === undefined || embedding === undefined) return { plm, notes: [] };
  // The table of tensors reports wrong shapes.
  if (head.shape.join() !== embedding.shape.join()) return { plm, notes: [] };
  if (await equal(embedding, head)) {
    const notes = [`${head.name} ignored: it equals ${embedding.name}, to which it is tied`];
    return { plm: { ...plm, tieWordEmbeddings: true }, notes };
  }
  if (tied) {
    throw invalidInput({
      file: head.file.name,
      field: `tensor ${JSON.stringify(head.name)}`,
      what: `differs from the embedding, to which config.json ties it; ${KEEP}`,
    });
  }
  const notes = [
    `config.json has no tie_word_embeddings: ${head.name} differs from the embedding and is used`,
  ];
  return { plm: { ...plm, tieWordEmbeddings: false }, notes };
}

/** Whether two tensors of one shape hold the same values, in whichever dtypes. */
async function equal(a: StoredTensor, b: StoredTensor): Promise<boolean> {
  if (a.scheme === undefined || b.scheme === undefined) return false;
  // As torch.save stores tied weights.
  if (a.file === b.file && a.offset === b.offset) return true;
  const [first, second] = [new Values(a, a.scheme), new Values(b, b.scheme)];
  const count = elementCount(a);
  for (let at = 0; at < count; at += CHUNK) {
    const end = Math.min(at + CHUNK, count);
    if (!(await first.read(at, end)).equals(await second.read(at, end))) return false;
  }
  return true;
}

/** The values of a stored tensor as the bytes of F32. */
class Values {
  readonly #tensor: StoredTensor;
  readonly #scheme: SchemeName;
  readonly #stored: Uint8Array;
  readonly #values = new Float32Array(CHUNK);

  constructor(tensor: StoredTensor, scheme: SchemeName) {
    this.#tensor = tensor;
    this.#scheme = scheme;
    this.#stored = new Uint8Array(schemeBytes(scheme, CHUNK));
  }

  /** Good until the next call. */
  async read(start: number, end: number): Promise<Buffer> {
    const { file, offset } = this.#tensor;
    const stored = this.#stored.subarray(0, schemeBytes(this.#scheme, end - start));
    await file.readInto(stored, offset + schemeBytes(this.#scheme, start));
    decoderOf(this.#scheme)(stored, 0, this.#values, 0, end - start);
    return Buffer.from(this.#values.buffer, 0, 4 * (end - start));
  }
}
