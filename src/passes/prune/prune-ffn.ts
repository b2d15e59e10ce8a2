import type { Progress } from '../../core/jobs/progress.ts';
import type { Change, Model } from '../../core/model.ts';
import { layerGgufName, layerTensorName } from '../../core/names.ts';
import type { NeuronStatistics } from '../../core/statistics.ts';
import { columnCount, rowCount, type Tensor } from '../../core/tensor.ts';
import { type Pass, type PassContext, withChanges } from '../pass.ts';
import type { Regress } from '../regression.ts';
import {
  type Activations,
  type MeasuredStatistics,
  selectNeurons,
  statisticsFaults,
  statisticsOf,
} from '../rounding/activations.ts';
import { columnSquares } from '../rows/column-squares.ts';
import { decodedRows, projectRows } from '../rows/float-rows.ts';
import { gatherRows } from '../rows/gather-rows.ts';
import { type Loss, rateBound, relativeLoss } from './measure.ts';
import { isLossy, optionFaults, PRUNE_DEFAULTS, type PruneOptions } from './options.ts';
import { momentsOf, type PrunedLayer, Repairs } from './repairs.ts';
import { rankingOf, type Score, scoresOf } from './scores.ts';
import { chooseWidths } from './widths.ts';

const NAME = 'prune-ffn';

/**
 * Removes neurons of the FFN: rows of up_proj and columns of down_proj. Without `ratio`, `width` or `budget`
 * only neurons go that no token of the calibration set off.
 */
export const pruneFfn = {
  name: NAME,
  summary: 'remove the least important neurons of the FFN, and adjust the others to compensate',
  inexact: true,
  defaults: PRUNE_DEFAULTS,
  readsStatistics: true,
  requires(model, options) {
    return [...optionFaults(options), ...statisticsFaults(model), ...repairFaults(model, options)];
  },
  async run(model, options, context) {
    const statistics = statisticsOf(model);
    const layers: RankedLayer[] = [];
    for (const layer of model.config.intermediateSizes.keys()) {
      layers.push(await rankLayer(model, statistics, layer, options, context));
    }
    const widths = chooseWidths(layers, options);
    if (widths.join() === model.config.intermediateSizes.join()) return model;
    const tensors = new Map(model.tensors);
    const changes: Change[] = [];
    let activations: Activations = model;
    const repairs = new Repairs(context.regress ?? noRegression);
    const needsRepair = isLossy(options) ? options.compensation : 'none';
    const meter = new LayerMeter(model, context.progress);
    for (const [index, width] of widths.entries()) {
      const { ranking, losses } = layers[index]!;
      meter.begin(index);
      const removed = ranking.slice(0, ranking.length - width).sort();
      if (removed.length === 0 && needsRepair !== 'bias') continue;
      const layer: PrunedLayer = {
        model,
        statistics,
        layer: index,
        removed,
        kept: ranking.slice(ranking.length - width).sort(),
        damping: options.damping,
      };
      const [up, down] = matricesOf(model, index);
      tensors.set(up.name, gatherRows(up, layer.kept));
      tensors.set(down.name, keepColumns(layer, down, needsRepair, repairs));
      if (needsRepair === 'bias') {
        const bias = meanOfRemoved(layer, down);
        tensors.set(bias.name, bias);
      }
      const measured = await measuredLoss(layer, down, needsRepair, repairs, meter, context);
      const figures = {
        ...firingFigures(statistics, layer),
        predictedError: losses[removed.length]!,
        ...(measured !== undefined && { measuredError: measured }),
      };
      changes.push(...changesOf(up, down, layer, needsRepair, figures));
      activations = selectNeurons(activations, index, layer.kept);
    }
    const config = {
      ...model.config,
      intermediateSizes: widths,
      ...(needsRepair === 'bias' && { ffnBias: true as const }),
    };
    return withChanges(model, changes, { ...activations, tensors, config });
  },
} satisfies Pass<PruneOptions>;

function matricesOf({ tensors }: Model, layer: number): [up: Tensor, down: Tensor] {
  const [up, down] = (['up_proj', 'down_proj'] as const).map((role) =>
    tensors.get(layerTensorName(role, layer)),
  );
  return [up!, down!];
}

/** Why this pass cannot run on a model whose statistics fit; empty if it can. */
function repairFaults({ config, statistics }: Model, options: PruneOptions): string[] {
  if (config.ffnBias) return ['the FFN has been pruned with a bias'];
  if (!isLossy(options) || options.compensation !== 'least-squares') return [];
  const lacks = config.intermediateSizes.some(
    (_, layer) => statistics?.inputs.get(layerGgufName('down_proj', layer)!)?.moments === undefined,
  );
  return lacks ? ['needs second moments for least squares: calibrate with --second-moments down_proj'] : [];
}

interface RankedLayer {
  /** Neurons, the least needed first. */
  readonly ranking: Int32Array;
  readonly losses: Float64Array;
  readonly silent: number;
}

async function rankLayer(
  model: Model,
  statistics: MeasuredStatistics,
  layer: number,
  options: PruneOptions,
  { signal }: PassContext,
): Promise<RankedLayer> {
  const neurons = statistics.neurons[layer]!;
  const squares = await columnSquares(matricesOf(model, layer)[1], signal);
  const score = isLossy(options) ? (options.score as Score) : 'firing';
  const ranking = rankingOf(scoresOf(score, neurons, squares, options.seed + layer));
  const loss = options.compensation === 'bias' ? 'fluctuation' : 'wanda';
  return {
    ranking,
    losses: accumulated(scoresOf(loss, neurons, squares, 0), ranking, neurons),
    silent: neurons.firings.filter((count) => count === 0).length,
  };
}

/**
 * Predicted error where the first 0, 1, … of the ranking go: as if they fired independently of each other.
 */
function accumulated(losses: Float64Array, ranking: Int32Array, { outputSquares }: NeuronStatistics) {
  const output = outputSquares.reduce((sum, square) => sum + square, 0);
  const sums = new Float64Array(ranking.length + 1);
  for (const [place, index] of ranking.entries()) {
    sums[place + 1] = sums[place]! + (output > 0 ? losses[index]! / output : 0);
  }
  return sums;
}

function keepColumns(layer: PrunedLayer, down: Tensor, compensation: string, repairs: Repairs): Tensor {
  const { kept } = layer;
  return projectRows(down, kept.length, async (signal) => {
    const repair = compensation === 'least-squares' ? await repairs.of(layer, signal) : undefined;
    return (values, into, index) => {
      for (let k = 0; k < kept.length; k++) into[k] = values[kept[k]!]!;
      if (repair === undefined) return;
      const row = index * kept.length;
      for (let k = 0; k < kept.length; k++) into[k]! += repair.correction[row + k]!;
    };
  });
}

/** W_R E[h_R], a value per row of down_proj. */
function meanOfRemoved({ statistics, layer, removed }: PrunedLayer, down: Tensor): Tensor {
  const { means } = statistics.neurons[layer]!;
  return {
    ...down,
    name: layerTensorName('down_proj_bias', layer),
    scheme: 'F32',
    rowStep: 1,
    shape: [rowCount(down)],
    async readRows(_, into, signal) {
      const bias = new Float32Array(rowCount(down));
      for await (const { values, index } of decodedRows(down, undefined, signal)) {
        let sum = 0;
        for (const r of removed) sum += values[r]! * means[r]!;
        bias[index] = sum;
      }
      into.set(new Uint8Array(bias.buffer));
    },
  };
}

async function measuredLoss(
  layer: PrunedLayer,
  down: Tensor,
  compensation: string,
  repairs: Repairs,
  meter: LayerMeter,
  { signal }: PassContext,
): Promise<number | undefined> {
  const { statistics, kept, removed } = layer;
  const triangle = await momentsOf(layer, signal);
  if (triangle === undefined) return undefined;
  const neurons = statistics.neurons[layer.layer]!;
  const loss: Loss = { down, neurons, kept, removed, triangle, bias: compensation === 'bias' };
  if (compensation !== 'least-squares') return relativeLoss(loss, signal);
  const onProgress = (share: number) => meter.advance(share);
  const repair = await repairs.solve(layer, triangle, { onProgress, signal });
  return relativeLoss({ ...loss, repair }, signal);
}

/** Whoever runs the pass has to bring what its options need. */
const noRegression: Regress = () => {
  throw new Error(`pass ${NAME}: least squares need a context with \`regress\``);
};

/** Tells how far the layers are, in neurons. */
class LayerMeter {
  readonly #widths: readonly number[];
  readonly #progress: Progress | undefined;
  #layer = 0;

  constructor({ config }: Model, progress: Progress | undefined) {
    this.#widths = config.intermediateSizes;
    this.#progress = progress;
    const total = this.#widths.reduce((sum, width) => sum + width, 0);
    progress?.({ kind: 'phase', name: NAME, total });
  }

  begin(layer: number): void {
    this.#layer = layer;
    this.advance(0);
  }

  /** `share`: of the layer that was begun last. */
  advance(share: number): void {
    const before = this.#widths.slice(0, this.#layer).reduce((sum, width) => sum + width, 0);
    const done = before + Math.floor(share * this.#widths[this.#layer]!);
    this.#progress?.({ kind: 'advance', done, item: `layer ${this.#layer}` });
  }
}

function firingFigures({ tokens, neurons }: MeasuredStatistics, { layer, removed }: PrunedLayer) {
  const { firings } = neurons[layer]!;
  const total = firings.reduce((sum, count) => sum + count, 0);
  const most = removed.reduce((max, index) => Math.max(max, firings[index]!), 0);
  return {
    neurons: firings.length,
    removed: removed.length,
    firingRate: total / (tokens * firings.length),
    removedRateBound: rateBound(most, tokens),
  };
}

function changesOf(
  up: Tensor,
  down: Tensor,
  { kept, removed }: PrunedLayer,
  compensation: string,
  figures: Readonly<Record<string, number>>,
): Change[] {
  const from = `${rowCount(up)} neurons`;
  const to = `${kept.length} neurons`;
  const reason = `${removed.length} are needed least`;
  const repaired = compensation === 'none' ? to : `${to}, ${compensation}`;
  return [
    { pass: NAME, subject: up.name, from, to, reason },
    { pass: NAME, subject: down.name, from: `${columnCount(down)} neurons`, to: repaired, reason, figures },
  ];
}
