import type { Model } from '../../../src/core/model.ts';
import { PlmRuntime, type RuntimeOptions } from '../../../src/runtime/plm-runtime.ts';

/** Copies of the logits after each of `ids`, by the reference runtime on one thread. */
export async function logitsOf(
  model: Model,
  ids: readonly number[],
  options: Partial<RuntimeOptions> = {},
): Promise<Float32Array[]> {
  const runtime = await PlmRuntime.open(model, { contextLength: ids.length, threads: 1, ...options });
  try {
    const rows: Float32Array[] = [];
    for await (const row of runtime.logits(ids)) rows.push(row.slice());
    return rows;
  } finally {
    await runtime.close();
  }
}
