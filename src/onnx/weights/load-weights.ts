import { PressError } from '../../core/errors.ts';
import { type Compute, openCompute } from '../../kernels/compute.ts';
import { ALIGNMENT, arenaStart, MAX_PAGES, PAGE_BYTES } from '../../kernels/layout.ts';
import { defaultThreads } from '../../kernels/threads.ts';
import { Products } from './products.ts';
import type { StoredMatrix } from './stored-matrix.ts';
import type { ReadInitializer, WeightRequest } from './weight-request.ts';
import { loadWeight, planWeight, type WeightPlan } from './weights.ts';

/** The working memory of a session. */
export interface LoadedWeights {
  readonly compute: Compute;
  readonly products: Products;
  /** By the key of what was asked for. */
  readonly matrices: ReadonlyMap<string, StoredMatrix>;
  readonly memoryBytes: number;
}

export interface MemoryOptions {
  readonly threads?: number | undefined;
  readonly maxMemory?: number;
}

/** Reserves the memory and brings all matrices there. Throws `local-io` where it does not fit. */
export async function loadWeights(
  requests: ReadonlyMap<string, WeightRequest>,
  read: ReadInitializer,
  { maxMemory, ...options }: MemoryOptions,
): Promise<LoadedWeights> {
  const plans = new Map<string, WeightPlan>();
  for (const [key, request] of requests) plans.set(key, await planWeight(request, read));
  const widest = [...plans.values()].reduce(
    (most, plan) => Math.max(most, plan.request.rows + plan.columns),
    0,
  );
  const stored = [...plans.values()].reduce((sum, { bytes }) => sum + aligned(bytes), 0);
  const memoryBytes = stored + Products.scratchBytes(widest);
  const shapes = [...plans.values()].map(({ request, columns }) => ({ shape: [request.rows, columns] }));
  const threads = options.threads ?? defaultThreads(shapes);
  checkMemory(memoryBytes, threads, maxMemory);

  const compute = await openCompute({ threads, bytes: memoryBytes });
  try {
    const matrices = new Map<string, StoredMatrix>();
    for (const [key, plan] of plans) {
      matrices.set(key, await loadWeight(plan, compute, compute.alloc(plan.bytes), read));
    }
    return { compute, products: new Products(compute, widest), matrices, memoryBytes };
  } catch (error) {
    await compute.close();
    throw error;
  }
}

function checkMemory(bytes: number, threads: number, maxMemory = Infinity): void {
  const addressable = MAX_PAGES * PAGE_BYTES - arenaStart(threads);
  const limit = Math.min(maxMemory, addressable);
  if (bytes <= limit) return;
  const limitedBy = limit === addressable ? 'the limit of a WebAssembly memory' : 'the memory limit';
  throw new PressError('local-io', {
    what: `${mebibytes(bytes)} of working memory are needed`,
    expected: `at most ${mebibytes(limit)}, ${limitedBy}`,
  });
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
