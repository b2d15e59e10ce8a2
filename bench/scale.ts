import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { writeCheckpoint } from '../fixtures/checkpoint.ts';
import { GEOMETRIES } from '../fixtures/geometry.ts';
import type { PlmConfig } from '../src/core/config.ts';
import { plmTensors } from '../src/core/names.ts';
import { elementCount } from '../src/core/tensor.ts';
import type { Measurement } from './measure.ts';
import { costOf, type ProcessCost } from './process-cost.ts';

/** Wide enough that the layers which llama.cpp allows make 100 GB, four times that of PLM-1.8B. */
const FFN_WIDTH = 32_768;
/** As checkpoints of that size come. */
const SHARD_BYTES = 5e9;

/**
 * `npm run bench -- scale [--sizes 3.6,100] [--target gguf:q4_k_m] [--threads N]`: conversions of checkpoints
 * of these gigabytes, whose weights are holes; the first size is what the others are held against: peak
 * memory, seconds a gigabyte.
 */
export async function* benchScale(argv: readonly string[]): AsyncGenerator<Measurement> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      sizes: { type: 'string', default: '3.6,100' },
      target: { type: 'string', default: 'gguf:q4_k_m' },
      threads: { type: 'string', default: String(availableParallelism()) },
    },
  });
  const [first, ...others] = values.sizes.split(',').map(Number);
  const baseline = await convert(first!, values.target, values.threads);
  for (const size of others) {
    const ours = await convert(size, values.target, values.threads);
    const what = `${values.target}, ${ours.gigabytes.toFixed(1)} GB against ${baseline.gigabytes.toFixed(1)} GB`;
    yield {
      what: `peak memory, ${what}`,
      ours: ours.peakBytes / 1e6,
      baseline: baseline.peakBytes / 1e6,
      unit: 'MB',
    };
    yield {
      what: `time a gigabyte, ${what}`,
      ours: ours.wallSeconds / ours.gigabytes,
      baseline: baseline.wallSeconds / baseline.gigabytes,
      unit: 's/GB',
    };
  }
}

interface Scaled extends ProcessCost {
  /** Of weights in the source. */
  readonly gigabytes: number;
}

async function convert(gigabytes: number, target: string, threads: string): Promise<Scaled> {
  const folder = mkdtempSync(path.join(tmpdir(), 'plmpress-scale-'));
  try {
    const [one, two] = [bytesOf(1), bytesOf(2)];
    const layers = 1 + Math.max(0, Math.round((gigabytes * 1e9 - one) / (two - one)));
    const bytes = bytesOf(layers);
    const source = path.join(folder, 'source');
    await writeCheckpoint(source, {
      config: widened(layers),
      paddingRows: GEOMETRIES['plm-1.8b']!.paddingRows,
      dtype: 'BF16',
      shards: Math.ceil(bytes / SHARD_BYTES),
      seed: 1,
      hollow: true,
    });
    const argv = [
      'convert',
      source,
      '--to',
      target,
      '-o',
      path.join(folder, 'out'),
      '--threads',
      threads,
      '-q',
    ];
    return { ...(await costOf('plmpress', argv)), gigabytes: bytes / 1e9 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** PLM-1.8B with so many layers of the greater width. */
function widened(layers: number): PlmConfig {
  const { config } = GEOMETRIES['plm-1.8b']!;
  return { ...config, numHiddenLayers: layers, intermediateSizes: Array<number>(layers).fill(FFN_WIDTH) };
}

/** Of the weights in BF16. */
function bytesOf(layers: number): number {
  return 2 * plmTensors(widened(layers)).reduce((sum, slot) => sum + elementCount(slot), 0);
}
