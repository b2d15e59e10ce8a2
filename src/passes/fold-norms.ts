import type { Change, Model } from '../core/model.ts';
import { type LayerRole, layerGgufName, layerTensorName } from '../core/names.ts';
import type { Tensor } from '../core/tensor.ts';
import { jointKvBFaults } from './join-kv-b.ts';
import { type Pass, withChanges } from './pass.ts';
import { type Activations, hasActivations, scaleInputs } from './rounding/activations.ts';
import { constantLike, readFloats } from './rows/float-rows.ts';
import { scaleColumns } from './rows/scale.ts';

const NAME = 'fold-norms';

/** Which projections read the output of a norm. The final norm stays: a tied head reads the embedding too. */
const READERS: readonly (readonly [norm: LayerRole, readers: readonly LayerRole[]])[] = [
  ['input_layernorm', ['q_proj', 'q_a_proj', 'kv_a_proj_with_mqa']],
  ['q_a_layernorm', ['q_b_proj']],
  ['kv_a_layernorm', ['kv_b_proj']],
  ['post_attention_layernorm', ['up_proj']],
];

/** Multiplies the scales of norms into the columns of the projections behind them; the norms become ones. */
export const foldNorms = {
  name: NAME,
  summary: 'multiply the scales of the norms of layers into the projections that follow',
  defaults: {},
  requires: ({ config }) => jointKvBFaults(config),
  async run(model, _, { signal }) {
    const tensors = new Map(model.tensors);
    const changes: Change[] = [];
    let activations: Activations = model;
    for (let layer = 0; layer < model.config.numHiddenLayers; layer++) {
      for (const [norm, readers] of READERS) {
        changes.push(...foldNorm(model, tensors, layer, norm, readers));
        activations = await unscaled(activations, model, layer, norm, readers, signal);
      }
    }
    return withChanges(model, changes, { ...activations, tensors });
  },
} satisfies Pass;

/** What is known of the inputs of the readers, once they come without the scales of the norm. */
async function unscaled(
  activations: Activations,
  model: Model,
  layer: number,
  norm: LayerRole,
  readers: readonly LayerRole[],
  signal?: AbortSignal,
): Promise<Activations> {
  const gamma = model.tensors.get(layerTensorName(norm, layer));
  if (gamma === undefined || !hasActivations(model)) return activations;
  // A channel that is always zero has columns of zeros afterwards, whose rounding nothing weighs.
  const factors = (await readFloats(gamma, signal)).map((scale) => (scale === 0 ? 0 : 1 / scale));
  const matrices = readers.includes('kv_b_proj') ? [...readers, 'v_b_proj' as const] : readers;
  return matrices
    .map((role) => layerGgufName(role, layer))
    .filter((name) => name !== undefined)
    .reduce((known, name) => scaleInputs(known, name, factors), activations);
}

function foldNorm(
  model: Model,
  tensors: Map<string, Tensor>,
  layer: number,
  norm: LayerRole,
  readers: readonly LayerRole[],
): Change[] {
  const gamma = model.tensors.get(layerTensorName(norm, layer));
  if (gamma === undefined) return [];
  tensors.set(gamma.name, constantLike(gamma, 1));
  const names = readers.map((role) => layerTensorName(role, layer)).filter((name) => model.tensors.has(name));
  for (const name of names)
    tensors.set(
      name,
      scaleColumns(model.tensors.get(name)!, (signal) => readFloats(gamma, signal)),
    );
  return names.map((subject) => ({
    pass: NAME,
    subject,
    from: 'W',
    to: `W diag(${gamma.name})`,
    reason: 'scales in front of a projection may be part of it',
  }));
}
