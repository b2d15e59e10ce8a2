import type { Change } from '../core/model.ts';
import { layerTensorName } from '../core/names.ts';
import type { Tensor } from '../core/tensor.ts';
import { type Activations, hasActivations, scaleNeurons } from './activations.ts';
import { columnSquares } from './column-squares.ts';
import { rewriteRows } from './float-rows.ts';
import { type Pass, withChanges } from './pass.ts';

const NAME = 'scale-ffn';

/**
 * relu(s x)^2 = s^2 relu(x)^2 for s > 0: row i of up_proj may be multiplied by s_i where column i of down_proj is divided
 * by s_i^2. With s_i^2 = (norm of column i / geometric mean)^alpha, the columns of down_proj come closer in size, so that
 * blocks along its rows hold weights of one size; rows of up_proj have blocks of their own and lose nothing.
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
      const scales = (signal?: AbortSignal) => (measured ??= scalesOf(down, alpha, signal));
      tensors.set(up.name, scaleRows(up, scales));
      tensors.set(down.name, unscaleColumns(down, scales));
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

type Scales = (signal?: AbortSignal) => Promise<Float32Array>;

function scaleRows(tensor: Tensor, scales: Scales): Tensor {
  return rewriteRows(tensor, async (signal) => {
    const s = await scales(signal);
    return (values, row) => {
      for (let i = 0; i < values.length; i++) values[i]! *= s[row]!;
    };
  });
}

function unscaleColumns(tensor: Tensor, scales: Scales): Tensor {
  return rewriteRows(tensor, async (signal) => {
    const s = await scales(signal);
    return (values) => {
      for (let i = 0; i < values.length; i++) values[i]! /= s[i]! * s[i]!;
    };
  });
}

/** s of every neuron. Columns of zeros keep 1. */
async function scalesOf(down: Tensor, alpha: number, signal?: AbortSignal): Promise<Float32Array> {
  const squares = await columnSquares(down, signal);
  const used = squares.filter((square) => square > 0);
  const meanLog = used.reduce((sum, square) => sum + Math.log(square), 0) / Math.max(1, used.length);
  return Float32Array.from(squares, (square) =>
    square > 0 ? Math.exp((alpha / 4) * (Math.log(square) - meanLog)) : 1,
  );
}
