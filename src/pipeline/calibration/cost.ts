import { isDeepStrictEqual } from 'node:util';
import { MOMENT_ROLES } from '../../../calibration/moments.ts';
import { statisticSources } from '../../../calibration/statistics.ts';
import type { Feedback, PlannedTensor } from '../../core/export-plan.ts';
import { plannedRows } from '../../core/export-plan.ts';
import type { Model } from '../../core/model.ts';
import { triangleChannels } from '../../core/statistics.ts';
import { elementCount } from '../../core/tensor.ts';
import { openCompute } from '../../kernels/compute.ts';
import { matrixProduct } from '../../kernels/matrix-product.ts';
import { defaultThreads } from '../../kernels/threads.ts';
import { decodeMacs } from '../plan/decode-macs.ts';
import type { Target } from '../planning/planned-target.ts';
import { sideBytes } from '../writing/working-memory.ts';
import type { LiveStatistics } from './live-statistics.ts';

/** The steps of rounding by statistics that are measured meanwhile. */
export const STEPS = ['text', 'moments', 'factors', 'rounding'] as const;

export type Step = (typeof STEPS)[number];

/** What `--quality best` without statistics takes beside the conversion itself. */
export interface MeasuringCost {
  readonly tokens: number;
  readonly threads: number;
  /** By step, on this machine. */
  readonly seconds: Readonly<Record<Step, number>>;
  /** Bytes of memory. */
  readonly memory: number;
  /** Bytes of disk beside the output, until it is complete. */
  readonly disk: number;
}

/**
 * Multiplications per second of each step as part of those of `matmul`, as `npm run bench -- feedback`
 * measures them at the widths of PLM-1.8B. Half of the activations are taken for zeros.
 */
const SPEEDS: Readonly<Record<Step, number>> = { text: 1, moments: 1, factors: 0.35, rounding: 0.5 };

/** Predicts by shapes, and by what this machine multiplies in a second. */
export async function predictMeasuring(
  live: LiveStatistics,
  model: Model,
  targets: readonly Target[],
  threads = defaultThreads(model.tensors.values()),
): Promise<MeasuringCost> {
  const tensors = targets.flatMap(({ plan }) => plan.files.flatMap((file) => file.tensors));
  const macs = multiplications(live, model, tensors);
  const rate = await matmulRate(threads);
  const seconds = (step: Step) => macs[step] / (rate * SPEEDS[step]);
  return {
    tokens: live.tokens,
    threads,
    seconds: {
      text: seconds('text'),
      moments: seconds('moments'),
      factors: seconds('factors'),
      rounding: seconds('rounding'),
    },
    memory: live.memoryBytes + sideBytes(tensors),
    disk: live.diskBytes,
  };
}

function multiplications(
  live: LiveStatistics,
  { config }: Model,
  tensors: readonly PlannedTensor[],
): Record<Step, number> {
  const { tokens, chunkSize } = live;
  const head = config.vocabSize * config.hiddenSize;
  const channels = statisticSources(config, MOMENT_ROLES)
    .filter(({ kind }) => kind === 'moments')
    .map((source) => triangleChannels(elementCount(source)));
  const rounded = tensors.filter(({ feedback }) => feedback !== undefined);
  return {
    text: tokens * (decodeMacs(config, 'latent', chunkSize / 2) - head),
    moments: tokens * sum(channels.map((n) => n ** 2 / 2)),
    factors: sum(distinct(rounded).map(({ moments: { size } }) => size ** 3 / 6)),
    rounding: sum(rounded.map((tensor) => (plannedRows(tensor).count * tensor.feedback!.columns ** 2) / 2)),
  };
}

/** Neighbours share what has been factored. */
function distinct(tensors: readonly PlannedTensor[]): Feedback[] {
  const found: Feedback[] = [];
  for (const { feedback } of tensors) {
    if (!found.some((other) => isDeepStrictEqual(other, feedback))) found.push(feedback!);
  }
  return found;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

const [ROWS, COLUMNS, TOKENS] = [1024, 2048, 128];
const MEASURED_MS = 1000;

/** Multiplications per second of the runtime's matrix product, measured for a second. */
async function matmulRate(threads: number): Promise<number> {
  const compute = await openCompute({
    threads,
    bytes: 4 * (ROWS + TOKENS) * COLUMNS + 4 * TOKENS * ROWS + 256,
  });
  try {
    const [weights, x, y] = [ROWS * COLUMNS, TOKENS * COLUMNS, TOKENS * ROWS].map((count) => {
      const pointer = compute.alloc(4 * count);
      // Pages that nobody has written share one of zeros, and are read at another speed.
      compute.floats(pointer, count).fill(1);
      return pointer;
    });
    const job = matrixProduct({
      weights: weights!,
      scheme: 'F32',
      rows: ROWS,
      columns: COLUMNS,
      x: x!,
      y: y!,
      tokens: TOKENS,
    });
    const start = performance.now();
    let products = 0;
    let elapsed = 0;
    for (; elapsed < MEASURED_MS; products++) {
      compute.run('matmul', job);
      elapsed = performance.now() - start;
    }
    return (products * ROWS * COLUMNS * TOKENS) / (elapsed / 1000);
  } finally {
    await compute.close();
  }
}
