import type { BundleArtifact } from '../../../formats/webgpu/import/open.ts';
import { PressError } from '../../core/errors.ts';
import type { SequenceEngine } from '../../verify/sequence-logits.ts';
import type { Engine } from '../../webgpu/engine.ts';
import { openDevice } from './dawn.ts';

/**
 * Runs a bundle with its own kernels on a GPU, for sequences of at most `contextLength` tokens.
 * @throws PressError unsupported where there is none, invalid-input for a damaged shard, local-io where the
 * GPU has too little memory.
 */
export async function openWebgpu(artifact: BundleArtifact, contextLength: number): Promise<BundleEngine> {
  const { createEngine, BundleError } = await import('../../webgpu/runtime.ts');
  const device = await openDevice();
  try {
    const engine = await createEngine(device, artifact.manifest, { contextLength });
    for (const index of artifact.manifest.shards.keys()) {
      engine.writeShard(index, await artifact.readShard(index));
      await device.queue.onSubmittedWorkDone();
    }
    return new BundleEngine(device, engine);
  } catch (cause) {
    device.destroy();
    if (!(cause instanceof BundleError)) throw cause;
    const failure = cause.code === 'out-of-memory' ? 'local-io' : 'unsupported';
    throw new PressError(failure, { what: cause.message }, { cause });
  }
}

/** The engine of a bundle with the device that it alone uses. */
class BundleEngine implements SequenceEngine {
  readonly #device: GPUDevice;
  readonly #engine: Engine;
  #seconds = 0;
  #tokens = 0;

  constructor(device: GPUDevice, engine: Engine) {
    this.#device = device;
    this.#engine = engine;
  }

  reset(): void {
    this.#engine.truncate(0);
  }

  async *logits(ids: readonly number[]): AsyncGenerator<Float32Array, void> {
    const rows = this.#engine.logits(ids);
    for (;;) {
      const start = performance.now();
      const row = await rows.next();
      this.#seconds += (performance.now() - start) / 1000;
      if (row.done) return;
      this.#tokens++;
      yield row.value;
    }
  }

  /** Tokens per second of all runs so far. */
  get tokensPerSecond(): number {
    return this.#tokens / this.#seconds;
  }

  async close(): Promise<void> {
    this.#engine.dispose();
    this.#device.destroy();
  }
}
