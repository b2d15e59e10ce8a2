import type { Imatrix } from '../../core/imatrix.ts';
import type { Model } from '../../core/model.ts';
import { layerGgufName } from '../../core/names.ts';
import {
  describesGeometry,
  type InputStatistics,
  type Moments,
  type NeuronStatistics,
  SAMPLE_WORDS,
  type Statistics,
} from '../../core/statistics.ts';

/** What a model knows of its activations, which a pass that changes them must change alike. */
export type Activations = Pick<Model, 'importances' | 'statistics'>;

/**
 * The same activations where the inputs of a matrix have been multiplied by `factors`, one per column; inputs
 * of several heads by the same ones. `matrix` is a GGUF name.
 */
export function scaleInputs(activations: Activations, matrix: string, factors: Float32Array): Activations {
  const { importances, statistics } = activations;
  const squares = (values: Float32Array) =>
    values.map((value, i) => value * factors[i % factors.length]! ** 2);
  return {
    ...(importances && { importances: withEntries(importances, matrix, squares) }),
    ...(statistics && {
      statistics: withInputs(statistics, matrix, (inputs) => ({
        ...changedInputs(inputs, squares, (moments) => scaledMoments(moments, factors)),
        channels: inputs.channels,
      })),
    }),
  };
}

/** The same activations where those of a matrix have become unknown. */
export function forgetInputs({ importances, statistics }: Activations, matrix: string): Activations {
  const without = <T>(map: ReadonlyMap<string, T>) => new Map([...map].filter(([name]) => name !== matrix));
  return {
    ...(importances && { importances: { ...importances, entries: without(importances.entries) } }),
    ...(statistics && { statistics: { ...statistics, inputs: without(statistics.inputs) } }),
  };
}

/** The activations of a layer of whose neurons those of `order` are left, in that order. */
export function selectNeurons(activations: Activations, layer: number, order: Int32Array): Activations {
  const { importances, statistics } = activations;
  const down = layerGgufName('down_proj', layer)!;
  const pick = (values: Float32Array) => picked(values, order);
  return {
    ...(importances && { importances: withEntries(importances, down, pick) }),
    ...(statistics && {
      statistics: {
        ...withInputs(statistics, down, (inputs) => ({
          ...changedInputs(inputs, pick, (moments) => pickedMoments(moments, order)),
          channels: order.length,
        })),
        widths: statistics.widths.with(layer, order.length),
        neurons: changedNeurons(statistics, layer, (neurons) => pickedNeurons(neurons, order)),
      },
    }),
  };
}

/** The activations of a layer whose FFN's have been multiplied by `factors`. */
export function scaleNeurons(activations: Activations, layer: number, factors: Float32Array): Activations {
  const scaled = scaleInputs(activations, layerGgufName('down_proj', layer)!, factors);
  const { statistics } = scaled;
  if (statistics === undefined) return scaled;
  const neurons = changedNeurons(statistics, layer, ({ means, meanSquares, ...rest }) => ({
    ...rest,
    means: means.map((value, i) => value * factors[i]!),
    meanSquares: meanSquares.map((value, i) => value * factors[i]! ** 2),
  }));
  return { ...scaled, statistics: { ...statistics, neurons } };
}

/** Whether there is anything to keep true. */
export function hasActivations({ importances, statistics }: Activations): boolean {
  return importances !== undefined || statistics !== undefined;
}

/** Why a pass that reads statistics cannot run on a model; undefined if it can. */
export function statisticsFaults({ config, statistics }: Pick<Model, 'config' | 'statistics'>): string[] {
  if (statistics?.neurons() === undefined)
    return ['needs statistics: calibrate makes them, --statistics reads them'];
  return describesGeometry(statistics, config) ? [] : [`${statistics.name} does not fit this model`];
}

/** The statistics that a pass cannot do without. */
export function statisticsOf({ statistics }: Activations): MeasuredStatistics {
  const neurons = statistics?.neurons();
  if (neurons === undefined) throw new Error('the pass has been run without its requirements');
  return { ...statistics!, neurons };
}

/** Statistics of which all are known. */
export type MeasuredStatistics = Omit<Statistics, 'neurons'> & {
  /** By layer. */
  readonly neurons: readonly NeuronStatistics[];
};

type Change = (values: Float32Array) => Float32Array;

function withEntries(imatrix: Imatrix, matrix: string, change: Change): Imatrix {
  return { ...imatrix, entries: mapped(imatrix.entries, matrix, change) };
}

/** Statistics where the inputs of a matrix, if they are known, have changed. */
function withInputs(
  statistics: Statistics,
  matrix: string,
  change: (inputs: InputStatistics) => InputStatistics,
): Statistics {
  const inputs = statistics.inputs.get(matrix);
  if (inputs === undefined) return statistics;
  return { ...statistics, inputs: new Map([...statistics.inputs, [matrix, change(inputs)]]) };
}

function changedInputs(
  { turn, meanSquares, moments }: InputStatistics,
  squares: Change,
  products: (moments: Moments) => Moments,
): Omit<InputStatistics, 'channels'> {
  return {
    turn,
    meanSquares: async (signal) => squares(await meanSquares(signal)),
    ...(moments && { moments: products(moments) }),
  };
}

function changedNeurons(
  statistics: Statistics,
  layer: number,
  change: (neurons: NeuronStatistics) => NeuronStatistics,
): Statistics['neurons'] {
  let changed: readonly NeuronStatistics[] | undefined;
  return () => {
    const neurons = statistics.neurons();
    changed ??= neurons?.with(layer, change(neurons[layer]!));
    return changed;
  };
}

function mapped(map: ReadonlyMap<string, Float32Array>, key: string, change: Change) {
  const values = map.get(key);
  return values === undefined ? map : new Map([...map, [key, change(values)]]);
}

function picked(values: Float32Array, order: Int32Array): Float32Array {
  return Float32Array.from(order, (index) => values[index]!);
}

function pickedNeurons(neurons: NeuronStatistics, order: Int32Array): NeuronStatistics {
  const fired = new Uint16Array(order.length * SAMPLE_WORDS);
  for (const [place, index] of order.entries()) {
    const words = neurons.fired.subarray(index * SAMPLE_WORDS, (index + 1) * SAMPLE_WORDS);
    fired.set(words, place * SAMPLE_WORDS);
  }
  return {
    firings: picked(neurons.firings, order),
    means: picked(neurons.means, order),
    meanSquares: picked(neurons.meanSquares, order),
    fired,
    outputSquares: neurons.outputSquares,
  };
}

function pickedMoments({ triangle }: Moments, order: Int32Array): Moments {
  return {
    size: order.length,
    triangle: (wanted, signal, into) =>
      triangle(
        Int32Array.from(wanted, (i) => order[i]!),
        signal,
        into,
      ),
  };
}

function scaledMoments({ size, triangle }: Moments, factors: Float32Array): Moments {
  return {
    size,
    async triangle(order, signal, into) {
      const values = await triangle(order, signal, into);
      for (let i = 0, at = 0; i < order.length; i++) {
        for (let j = 0; j <= i; j++, at++) values[at]! *= factors[order[i]!]! * factors[order[j]!]!;
      }
      return values;
    },
  };
}
