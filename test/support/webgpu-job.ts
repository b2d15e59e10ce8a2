import type { EngineStats } from '../../src/webgpu/engine.ts';
import type { BundleManifest } from '../../src/webgpu/manifest.ts';

/** What an engine shall compute. */
export interface WebgpuJob {
  /** Tokens whose logits are wanted: the first `together` in one call, the others one by one. */
  readonly ids: readonly number[];
  readonly together: number;
  /** Prompts that are each continued by 32 tokens, the likeliest. */
  readonly prompts: readonly (readonly number[])[];
}

export interface WebgpuJobResult {
  /** By position and token. */
  readonly logits: readonly number[][];
  readonly continuations: readonly number[][];
  readonly stats: EngineStats;
  readonly features: readonly string[];
  /** What the device complained of. */
  readonly errors: readonly string[];
}

/** Tokens that are picked in one call. */
const PICKS = 16;

/**
 * Does the job with a bundle at `base`, a URL that ends in a slash. Has nothing to import, so that pages, Node and Deno run it
 * alike.
 */
export async function runWebgpuJob(
  runtime: Pick<typeof import('../../src/webgpu/runtime.ts'), 'createEngine'>,
  device: GPUDevice,
  read: (file: string) => Promise<ArrayBuffer>,
  job: WebgpuJob,
): Promise<WebgpuJobResult> {
  const errors: string[] = [];
  device.onuncapturederror = ({ error }) => errors.push(error.message);
  const manifest: BundleManifest = JSON.parse(new TextDecoder().decode(await read('manifest.json')));
  const engine = await runtime.createEngine(device, manifest, { contextLength: 128 });
  for (const [index, { file }] of manifest.shards.entries()) {
    engine.writeShard(index, new Uint8Array(await read(file)));
  }
  const logits: number[][] = [];
  const append = async (ids: readonly number[]) => {
    for await (const row of engine.logits(ids)) logits.push(Array.from(row));
  };
  if (job.together > 0) await append(job.ids.slice(0, job.together));
  for (const id of job.ids.slice(job.together)) await append([id]);
  const continuations: number[][] = [];
  for (const prompt of job.prompts) {
    engine.truncate(0);
    const first = await engine.generate(prompt, PICKS, {});
    const second = await engine.generate([first.at(-1)!], PICKS, {});
    continuations.push([...first, ...second]);
  }
  const stats = await engine.stats();
  engine.dispose();
  return { logits, continuations, stats, features: [...device.features], errors };
}
