import type { Change } from '../core/model.ts';
import { layerTensorName } from '../core/names.ts';
import type { Tensor } from '../core/tensor.ts';
import { type Pass, withChanges } from './pass.ts';
import { type Activations, hasActivations, scaleNeurons } from './rounding/activations.ts';
import { columnSquares } from './rows/column-squares.ts';
import { balancingScales, type Scales, scaleColumns, scaleRows } from './rows/scale.ts';

const NAME = 'scale-ffn';

/**
 * relu(s x)^2 = s^2 relu(x)^2 for s > 0: row i of up_proj may be multiplied by s_i where column i of
 * down_proj is divided by s_i^2. With s_i^2 = (norm of column i / geometric mean)^alpha, the columns of
 * down_proj come closer in size, so that blocks along its rows hold weights of one size; rows of up_proj have
 * blocks of their own and lose nothing.
 */
export const scaleFfn = {
  name: NAME,
  summary: 'scale rows of up_proj by s and columns of down_proj by 1/s^2, which squared ReLU cancels',
  defaults: { alpha: 0.5 },
  requires: (_, { alpha }) => (alpha >= 0 && alpha <= 1 ? [] : [`alpha ${alpha} is not between 0 and 1`]),
  async run(model, { alpha }, context) {
    const tensors = new Map(model.tensors);
    const changes: Change[] = [];
    let activations: Activations = model;
    for (let layer = 0; layer < model.config.numHiddenLayers; layer++) {
      const up = model.tensors.get(layerTensorName('up_proj', layer))!;
      const down = model.tensors.get(layerTensorName('down_proj', layer))!;
      let measured: Promise<Float32Array> | undefined;
      const scales: Scales = (signal) => (measured ??= scalesOf(down, alpha, signal));
      tensors.set(up.name, scaleRows(up, scales));
      tensors.set(
        down.name,
        scaleColumns(down, async (signal) => (await scales(signal)).map((s) => 1 / (s * s))),
      );
      changes.push(changeOf(up.name, 'diag(s) W'), changeOf(down.name, 'W diag(1 / s²)'));
      if (!hasActivations(model)) continue;
      const factors = (await scales(context.signal)).map((s) => s * s);
      activations = scaleNeurons(activations, layer, factors);
    }
    return withChanges(model, changes, { ...activations, tensors });
  },
} satisfies Pass<{ alpha: number }>;

function changeOf(subject: string, to: string): Change {
  return { pass: NAME, subject, from: 'W', to, reason: 'columns of down_proj of one size round better' };
}

/** s of every neuron. */
async function scalesOf(down: Tensor, alpha: number, signal?: AbortSignal): Promise<Float32Array> {
  return balancingScales(await columnSquares(down, signal), alpha / 4);
}
