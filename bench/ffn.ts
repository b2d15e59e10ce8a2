import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { GaussianWeights } from '../fixtures/gaussian-weights.ts';
import { SCHEMES, type SchemeName, schemeBytes, transposedScheme } from '../src/core/scheme.ts';
import { type Compute, openCompute, type Pointer } from '../src/kernels/compute.ts';
import { uniform } from '../test/support/builders/samples.ts';
import { fastestInTurn, type Measurement } from './measure.ts';

/** down_proj of PLM-1.8B. */
const HIDDEN = 2048;
const NEURONS = 8192;
/** So many that no cache holds the weights of all, as in a model. */
const LAYERS = 4;
/** 90.9 % of PLM-1.8B's activations are zero (arXiv 2503.12167). */
const FIRING_RATE = 0.091;
const STORED: readonly SchemeName[] = ['F32', 'F16', 'BF16', 'Q8_0', 'Q4_0'];

/**
 * `npm run bench -- ffn [--threads N]`: down_proj of one token, the sparse kernel over rows of neurons
 * against matmul over the stored matrix, layer after layer.
 */
export async function* benchFfn(argv: readonly string[]): AsyncGenerator<Measurement> {
  const { values } = parseArgs({
    args: [...argv],
    options: { threads: { type: 'string', default: String(availableParallelism()) } },
  });
  const threads = Number(values.threads);
  const bytes = (2 * LAYERS + 1) * 4 * HIDDEN * NEURONS + 2 ** 20;
  for (const scheme of STORED) {
    const compute = await openCompute({ threads, bytes });
    const [x, y, used] = [compute.alloc(4 * NEURONS), compute.alloc(4 * HIDDEN), compute.alloc(4)];
    fillActivations(compute.floats(x, NEURONS));
    const gaussians = compute.alloc(4 * HIDDEN * NEURONS);
    new GaussianWeights('F32', 0, NEURONS ** -0.5, 1, 0).fill(compute.bytes(gaussians, 4 * HIDDEN * NEURONS));
    const dense = layersOf(compute, gaussians, scheme, HIDDEN, NEURONS);
    const sparse = layersOf(compute, gaussians, transposedScheme(scheme), NEURONS, HIDDEN);
    const vectors = { x, xTokenStride: NEURONS, y, yTokenStride: HIDDEN, tokens: 1 };
    const whole = { batch: 1, weightsBatchBytes: 0, xBatchStride: 0, yBatchStride: 0 };
    yield {
      what: `down_proj ${scheme}, ${threads} threads: sparse`,
      ...fastestInTurn(
        () => sparse.forEach((matrix) => void compute.run('matmulSparse', { ...matrix, ...vectors, used })),
        () => dense.forEach((matrix) => void compute.run('matmul', { ...matrix, ...vectors, ...whole })),
      ),
      unit: `ms for ${LAYERS} layers`,
    };
    await compute.close();
  }
}

function fillActivations(x: Float32Array): void {
  const next = uniform(1);
  for (let i = 0; i < NEURONS; i++) x[i] = next() < FIRING_RATE ? next() : 0;
}

function layersOf(compute: Compute, source: Pointer, scheme: SchemeName, rows: number, columns: number) {
  const { ggmlType } = SCHEMES[scheme];
  const rowBytes = schemeBytes(scheme, columns);
  return Array.from({ length: LAYERS }, () => {
    const weights = compute.alloc(rows * rowBytes);
    compute.run('transcode', {
      source,
      sourceScheme: SCHEMES.F32.ggmlType,
      sourceRowBytes: 4 * columns,
      target: weights,
      targetScheme: ggmlType,
      targetRowBytes: rowBytes,
      rows,
      columns,
      importance: 0,
    });
    return { weights, scheme: ggmlType, rowBytes, rows, columns };
  });
}
