import type { Change, Model } from '../../core/model.ts';
import { layerGgufName, layerTensorName } from '../../core/names.ts';
import { describesGeometry, type NeuronStatistics, type Statistics } from '../../core/statistics.ts';
import { columnCount, rowCount, type Tensor } from '../../core/tensor.ts';
import { type Activations, selectNeurons, statisticsOf } from '../activations.ts';
import { columnSquares } from '../column-squares.ts';
import { decodedRows, projectRows } from '../float-rows.ts';
import { gatherRows } from '../gather-rows.ts';
import { type Pass, type PassContext, withChanges } from '../pass.ts';
import { leastSquares, type Repair } from './least-squares.ts';
import { type Loss, rateBound, relativeLoss } from './measure.ts';
import { rankingOf, SCORES, type Score, scoresOf } from './scores.ts';
import { chooseWidths } from './widths.ts';

const NAME = 'prune-ffn';

/**
 * What makes up for removed neurons. `least-squares`: columns of down_proj that fit its output best without them. `bias`: their
 * mean, as a vector (FLAP, arXiv 2312.11983). `none`: nothing.
 */
export const COMPENSATIONS = ['least-squares', 'bias', 'none'] as const;

const DEFAULTS = {
  ratio: 0,
  width: 0,
  budget: 0,
  widths: 'uniform',
  multiple: 256,
  score: 'wanda',
  compensation: 'least-squares',
  damping: 0.01,
  seed: 1,
};

type PruneOptions = typeof DEFAULTS;

/** Bytes of repairs that are kept between being measured and being used; those beyond are solved for again. */
const KEPT_REPAIR_BYTES = 128 << 20;

/**
 * Removes neurons of the FFN: rows of up_proj and columns of down_proj. Without `ratio`, `width` or `budget` only neurons go that
 * no token of the calibration set off.
 */
export const pruneFfn = {
  name: NAME,
  summary: 'remove neurons of the FFN, the least needed first, and let the others make up for them',
  inexact: true,
  defaults: DEFAULTS,
  requires(model, options) {
    return [...optionFaults(options), ...statisticsFaults(model, options)];
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
    const repairs = new Repairs();
    const needsRepair = isLossy(options) ? options.compensation : 'none';
    for (const [index, width] of widths.entries()) {
      const { ranking, losses } = layers[index]!;
      const removed = ranking.slice(0, ranking.length - width).sort();
      if (removed.length === 0 && needsRepair !== 'bias') continue;
      const layer: PrunedLayer = {
        ...{ model, statistics, layer: index, removed },
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
      const measured = await measuredLoss(layer, down, needsRepair, repairs, context);
      const figures = {
        ...firingFigures(statistics, layer),
        predictedError: losses[removed.length]!,
        ...(measured !== undefined && { measuredError: measured }),
      };
      changes.push(...changesOf(up, down, layer, needsRepair, figures));
      activations = selectNeurons(activations, index, layer.kept);
    }
    const config = {
      ...{ ...model.config, intermediateSizes: widths },
      ...(needsRepair === 'bias' && { ffnBias: true as const }),
    };
    return withChanges(model, changes, { ...activations, tensors, config });
  },
} satisfies Pass<PruneOptions>;

interface PrunedLayer {
  readonly model: Model;
  readonly statistics: Statistics;
  readonly layer: number;
  /** Ascending. */
  readonly kept: Int32Array;
  readonly removed: Int32Array;
  readonly damping: number;
}

function isLossy({ ratio, width, budget }: PruneOptions): boolean {
  return ratio > 0 || width > 0 || budget > 0;
}

function optionFaults({ ratio, width, budget, multiple, damping, ...options }: PruneOptions): string[] {
  const { widths, score, compensation, seed } = options;
  const oneOf = (what: string, value: string, known: readonly string[]) =>
    known.includes(value) ? [] : [`${what} ${JSON.stringify(value)} is none of ${known.join(', ')}`];
  const isCount = (value: number, min: number) => Number.isInteger(value) && value >= min;
  return [
    ...(ratio >= 0 && ratio < 1 ? [] : [`ratio ${ratio} is not from 0 to below 1`]),
    ...(isCount(width, 0) ? [] : [`width ${width} is no integer from 0 up`]),
    ...(budget >= 0 ? [] : [`budget ${budget} is below 0`]),
    ...([ratio, width, budget].filter((value) => value > 0).length <= 1
      ? []
      : ['ratio, width and budget exclude each other']),
    ...(isCount(multiple, 1) ? [] : [`multiple ${multiple} is no integer from 1 up`]),
    ...(damping > 0 ? [] : [`damping ${damping} is not above 0`]),
    ...(isCount(seed, 0) ? [] : [`seed ${seed} is no integer from 0 up`]),
    ...oneOf('widths', widths, ['uniform', 'layer']),
    ...oneOf('score', score, SCORES),
    ...oneOf('compensation', compensation, COMPENSATIONS),
  ];
}

function statisticsFaults({ config, statistics }: Model, options: PruneOptions): string[] {
  if (statistics === undefined) return ['needs statistics: calibrate makes them, --statistics reads them'];
  if (!describesGeometry(statistics, config)) return [`${statistics.name} is of another model`];
  if (config.ffnBias) return ['the FFN has been pruned with a bias'];
  const lacks = config.intermediateSizes.some(
    (_, layer) => !statistics.moments.has(layerGgufName('down_proj', layer)!),
  );
  return isLossy(options) && options.compensation === 'least-squares' && lacks
    ? [
        `${statistics.name} has no second moments for least squares: calibrate with --second-moments down_proj`,
      ]
    : [];
}

function matricesOf({ tensors }: Model, layer: number): [up: Tensor, down: Tensor] {
  const [up, down] = (['up_proj', 'down_proj'] as const).map((role) =>
    tensors.get(layerTensorName(role, layer)),
  );
  return [up!, down!];
}

interface RankedLayer {
  /** Neurons, the least needed first. */
  readonly ranking: Int32Array;
  readonly losses: Float64Array;
  readonly silent: number;
}

async function rankLayer(
  model: Model,
  statistics: Statistics,
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

/** Predicted error where the first 0, 1, … of the ranking go: as if they fired independently of each other. */
function accumulated(losses: Float64Array, ranking: Int32Array, { outputSquares }: NeuronStatistics) {
  const output = outputSquares.reduce((sum, square) => sum + square, 0);
  const sums = new Float64Array(ranking.length + 1);
  for (const [place, index] of ranking.entries()) {
    sums[place + 1] = sums[place]! + (output > 0 ? losses[index]! / output : 0);
  }
  return sums;
}

function keepColumns(layer: PrunedLayer, down: Tensor, compensation: string, repairs: Repairs): Tensor {
  const { kept, removed } = layer;
  return projectRows(down, kept.length, async (signal) => {
    const repair = compensation === 'least-squares' ? await repairs.of(layer, signal) : undefined;
    return (values, into) => {
      for (let k = 0; k < kept.length; k++) into[k] = values[kept[k]!]!;
      if (repair === undefined) return;
      for (let r = 0; r < removed.length; r++) {
        const weight = values[removed[r]!]!;
        const row = r * kept.length;
        for (let k = 0; k < kept.length; k++) into[k]! += weight * repair.correction[row + k]!;
      }
    };
  });
}

/** W_R E[h_R], a value a row of down_proj. */
function meanOfRemoved({ statistics, layer, removed }: PrunedLayer, down: Tensor): Tensor {
  const { means } = statistics.neurons[layer]!;
  return {
    ...down,
    ...{ name: layerTensorName('down_proj_bias', layer), scheme: 'F32', rowStep: 1 },
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
  { signal }: PassContext,
): Promise<number | undefined> {
  const { statistics, kept, removed } = layer;
  const moments = statistics.moments.get(layerGgufName('down_proj', layer.layer)!);
  if (moments === undefined) return undefined;
  const neurons = statistics.neurons[layer.layer]!;
  const triangle = await moments.triangle([...kept, ...removed], signal);
  const loss: Loss = { down, neurons, kept, removed, triangle, bias: compensation === 'bias' };
  if (compensation !== 'least-squares') return relativeLoss(loss, signal);
  const repair = leastSquares(triangle, kept.length, removed.length, layer.damping);
  repairs.keep(layer.layer, repair);
  return relativeLoss({ ...loss, repair }, signal);
}

/** Repairs by layer. Those that were dropped are solved for again. */
class Repairs {
  readonly #kept = new Map<number, Promise<Repair>>();
  #bytes = 0;
  #latest: { readonly layer: number; readonly repair: Promise<Repair> } | undefined;

  keep(layer: number, repair: Repair): void {
    this.#bytes += repair.correction.byteLength;
    if (this.#bytes <= KEPT_REPAIR_BYTES) this.#kept.set(layer, Promise.resolve(repair));
  }

  of(pruned: PrunedLayer, signal?: AbortSignal): Promise<Repair> {
    const kept = this.#kept.get(pruned.layer);
    if (kept !== undefined) return kept;
    if (this.#latest?.layer !== pruned.layer) {
      this.#latest = { layer: pruned.layer, repair: solve(pruned, signal) };
    }
    return this.#latest.repair;
  }
}

async function solve(
  { statistics, layer, kept, removed, damping }: PrunedLayer,
  signal?: AbortSignal,
): Promise<Repair> {
  const moments = statistics.moments.get(layerGgufName('down_proj', layer)!)!;
  const triangle = await moments.triangle([...kept, ...removed], signal);
  return leastSquares(triangle, kept.length, removed.length, damping);
}

function firingFigures({ tokens, neurons }: Statistics, { layer, removed }: PrunedLayer) {
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
