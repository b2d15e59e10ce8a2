import type { PlmConfig } from '../core/config.ts';
import type { Change, Model } from '../core/model.ts';
import { type LayerRole, layerGgufName, layerTensorName } from '../core/names.ts';
import type { Tensor } from '../core/tensor.ts';
import { jointKvBFaults } from './join-kv-b.ts';
import { type Pass, withChanges } from './pass.ts';
import {
  type Activations,
  scaleInputs as scaleActivations,
  statisticsFaults,
  statisticsOf,
} from './rounding/activations.ts';
import { balancingScales, scaleColumns, scaleRows } from './rows/scale.ts';

const NAME = 'scale-inputs';

/** What makes the inputs of which matrices; the first of them says how large the inputs are. */
const SITES: readonly (readonly [maker: LayerRole, readers: readonly LayerRole[]])[] = [
  ['input_layernorm', ['kv_a_proj_with_mqa', 'q_proj', 'q_a_proj']],
  ['kv_a_layernorm', ['kv_b_proj']],
  ['kv_b_proj', ['o_proj']],
  ['post_attention_layernorm', ['up_proj']],
];

/**
 * Multiplies the columns of matrices by s and what makes their inputs by 1 / s: the scales of the norm before
 * them or, for o_proj, the value rows of kv_b_proj. s^2 = (E[x^2] / geometric mean)^alpha, so that columns of
 * large inputs, whose rounding costs most, become large in their blocks (AWQ, arXiv 2306.00978, section 3.2).
 */
export const scaleInputs = {
  name: NAME,
  summary: 'scale columns by the size of their inputs (AWQ); norms and value rows undo it',
  defaults: { alpha: 0.25 },
  readsStatistics: true,
  requires(model, { alpha }) {
    const { config } = model;
    return [
      ...(alpha >= 0 && alpha <= 1 ? [] : [`alpha ${alpha} is not between 0 and 1`]),
      ...jointKvBFaults(config),
      ...statisticsFaults(model),
    ];
  },
  async run(model, { alpha }, { signal }) {
    const tensors = new Map(model.tensors);
    const changes: Change[] = [];
    let activations: Activations = model;
    for (let layer = 0; layer < model.config.numHiddenLayers; layer++) {
      for (const [maker, readers] of SITES) {
        const scales = await scalesOf(model, layerGgufName(readers[0]!, layer)!, alpha, signal);
        if (scales === undefined) continue;
        const inverse = scales.map((scale) => 1 / scale);
        const change = (role: LayerRole, to: string, make: (tensor: Tensor) => Tensor) => {
          const tensor = tensors.get(layerTensorName(role, layer));
          if (tensor === undefined) return;
          tensors.set(tensor.name, make(tensor));
          const reason = 'columns of large inputs round better as large ones';
          changes.push({ pass: NAME, subject: tensor.name, from: 'W', to, reason });
        };
        if (maker === 'kv_b_proj') {
          change(maker, 'W_UV / s', (tensor) =>
            scaleRows(tensor, async () => valueRowScales(model.config, inverse)),
          );
        } else change(maker, 'γ / s', (tensor) => scaleColumns(tensor, async () => inverse));
        for (const role of readers) {
          change(role, 'W diag(s)', (tensor) => scaleColumns(tensor, async () => scales));
          const matrices = role === 'kv_b_proj' ? [role, 'v_b_proj' as const] : [role];
          for (const matrix of matrices) {
            const name = layerGgufName(matrix, layer);
            if (name !== undefined) activations = scaleActivations(activations, name, inverse);
          }
        }
      }
    }
    return withChanges(model, changes, { ...activations, tensors });
  },
} satisfies Pass<{ alpha: number }>;

/** Undefined where nothing is known of the inputs. */
async function scalesOf(
  model: Model,
  matrix: string,
  alpha: number,
  signal: AbortSignal | undefined,
): Promise<Float32Array | undefined> {
  const squares = await statisticsOf(model).inputs.get(matrix)?.meanSquares(signal);
  return squares && balancingScales(squares, alpha / 2);
}

/**
 * Factors of the rows of kv_b_proj: `scales` are those of the values of all heads, one head after the other.
 */
function valueRowScales(config: PlmConfig, scales: Float32Array): Float32Array {
  const { numAttentionHeads: heads, qkNopeHeadDim: nope, vHeadDim } = config;
  const factors = new Float32Array(heads * (nope + vHeadDim)).fill(1);
  for (let head = 0; head < heads; head++) {
    const ofHead = scales.subarray(head * vHeadDim, (head + 1) * vHeadDim);
    factors.set(ofHead, head * (nope + vHeadDim) + nope);
  }
  return factors;
}
