import type { CreateEngine, Engine, EngineOptions } from '../engine.ts';
import type { BundleFiles } from './bundle-files.ts';

/** Shards on their way at a time: enough for lines and for disks to be busy, few enough for phones. */
const LANES = 2;

export interface LoadEngineOptions extends EngineOptions {
  readonly signal?: AbortSignal | undefined;
  /** Takes how many bytes of a file are there now. */
  readonly onBytes?: (file: string, bytes: number) => void;
}

/**
 * Compiles the kernels while the first shards come, and copies each shard to the GPU before the next is
 * fetched in its lane: at most `LANES` of them are in memory. When anything fails nothing is left of the
 * engine.
 */
export async function loadEngine(
  files: BundleFiles,
  device: GPUDevice,
  createEngine: CreateEngine,
  { signal, onBytes, ...options }: LoadEngineOptions,
): Promise<Engine> {
  const { shards } = files.manifest;
  const failed = new AbortController();
  const either = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal;
  const compiling = createEngine(device, files.manifest, options);
  const largest = Math.max(0, ...shards.map(({ bytes }) => bytes));
  let next = 0;
  const lane = async () => {
    // One for all shards of the lane: buffers that are dropped stay until the garbage is collected.
    const room = next < shards.length ? new Uint8Array(largest) : undefined;
    while (next < shards.length) {
      const index = next++;
      const shard = shards[index]!;
      const bytes = await files.read(shard, {
        signal: either,
        ...(room && { room }),
        onBytes: (count) => onBytes?.(shard.file, count),
      });
      const engine = await compiling;
      either.throwIfAborted();
      engine.writeShard(index, bytes);
      await device.queue.onSubmittedWorkDone();
    }
  };
  const fail = (error: unknown) => failed.abort(error);
  const lanes = Array.from({ length: LANES }, () => lane().catch(fail));
  await Promise.all([compiling.catch(fail), ...lanes]);
  if (!either.aborted) return compiling;
  await compiling.then((engine) => engine.dispose()).catch(() => {});
  throw either.reason;
}
