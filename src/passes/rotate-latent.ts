import type { PlmConfig } from '../core/config.ts';
import type { Change } from '../core/model.ts';
import { layerGgufName, layerTensorName } from '../core/names.ts';
import { columnCount, rowCount, type Tensor } from '../core/tensor.ts';
import { jointKvBFaults } from './join-kv-b.ts';
import { type Pass, withChanges } from './pass.ts';
import { type Activations, forgetInputs } from './rounding/activations.ts';
import { constantLike, readFloats, rewriteRows } from './rows/float-rows.ts';
import { rotate, signsOf } from './rows/hadamard.ts';

const NAME = 'rotate-latent';

/**
 * Rotates the latent of every layer: the rows of kv_a_proj that make it, and against that the columns of
 * kv_b_proj, into which the scale of the norm between them goes, as RMSNorm commutes with rotations only
 * without it. Outliers of a channel are spread over all, which blocks of few bits hold better.
 */
export const rotateLatent = {
  name: NAME,
  summary: 'rotate the latent by a random Hadamard matrix, which spreads outliers over its channels',
  defaults: { seed: 1 },
  requires(model, { seed }) {
    const isSeed = Number.isInteger(seed) && seed >= 0 && seed < 2 ** 31;
    return [
      ...(isSeed ? [] : [`seed ${seed} is not an integer of at least 0`]),
      ...jointKvBFaults(model.config),
    ];
  },
  run(model, { seed }) {
    const { kvLoraRank, numHiddenLayers } = model.config;
    const tensors = new Map(model.tensors);
    const changes: Change[] = [];
    let activations: Activations = model;
    for (let layer = 0; layer < numHiddenLayers; layer++) {
      const signs = signsOf(seed + layer, kvLoraRank);
      const [a, norm, b] = (['kv_a_proj_with_mqa', 'kv_a_layernorm', 'kv_b_proj'] as const).map(
        (role) => model.tensors.get(layerTensorName(role, layer))!,
      );
      tensors.set(a!.name, rotateRows(a!, model.config, signs));
      tensors.set(norm!.name, constantLike(norm!, 1));
      tensors.set(b!.name, rotateColumns(b!, norm!, signs));
      for (const { name } of [a!, b!])
        changes.push(changeOf(name, name === a!.name ? 'R W' : 'W diag(γ) Rᵀ'));
      for (const role of ['kv_b_proj', 'v_b_proj'] as const) {
        activations = forgetInputs(activations, layerGgufName(role, layer)!);
      }
    }
    return withChanges(model, changes, { ...activations, tensors });
  },
} satisfies Pass<{ seed: number }>;

function changeOf(subject: string, to: string): Change {
  return { pass: NAME, subject, from: 'W', to, reason: 'a rotation of the latent cancels between both' };
}

/** Mixes the rows of the latent; those of k_pe stay. All rows are read at once. */
function rotateRows(tensor: Tensor, { kvLoraRank }: PlmConfig, signs: Float32Array): Tensor {
  const columns = columnCount(tensor);
  const prepare = async () => (values: Float32Array) => rotate(values, kvLoraRank, columns, columns, signs);
  return rewriteRows(tensor, prepare, rowCount(tensor));
}

function rotateColumns(tensor: Tensor, norm: Tensor, signs: Float32Array): Tensor {
  return rewriteRows(tensor, async (signal) => {
    const gamma = await readFloats(norm, signal);
    return (values) => {
      for (let i = 0; i < values.length; i++) values[i]! *= gamma[i]!;
      rotate(values, values.length, 1, 1, signs);
    };
  });
}
