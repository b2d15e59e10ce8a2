import type { SelfTestResult } from '../../../src/webgpu/self-test.ts';

/** What a loaded bundle shall compute. */
export interface WebgpuJob {
  /** Tokens whose logits are wanted. */
  readonly ids: readonly number[];
  /** Texts that are each continued by the likeliest tokens. */
  readonly prompts: readonly string[];
  readonly maxTokens: number;
}

export interface WebgpuJobResult {
  /** By position and token. */
  readonly logits: readonly (readonly number[])[];
  readonly continuations: readonly (readonly number[])[];
  readonly selfTest: SelfTestResult;
}

/**
 * Loads the bundle at `url` with a runtime.js and does the job. Has nothing to import, so that pages, Node
 * and Deno run it alike: where there is no global GPU a device is given.
 */
export async function runWebgpuJob(
  runtime: typeof import('../../../src/webgpu/runtime.ts'),
  url: string,
  job: WebgpuJob,
  device?: GPUDevice,
): Promise<WebgpuJobResult> {
  const model = await runtime.load(url, { contextLength: 128, cache: false, ...(device && { device }) });
  try {
    const selfTest = await model.selfTest();
    const logits = (await model.logits(job.ids)).map((row) => Array.from(row));
    const continuations: number[][] = [];
    for (const prompt of job.prompts) {
      const ids: number[] = [];
      const pieces = model.generate(prompt, {
        maxTokens: job.maxTokens,
        temperature: 0,
        repetitionPenalty: 1,
      });
      for await (const piece of pieces) ids.push(...piece.ids);
      continuations.push(ids);
    }
    return { logits, continuations, selfTest };
  } finally {
    model.dispose();
  }
}
