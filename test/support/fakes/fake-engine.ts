import type { CreateEngine, Engine, Sampling } from '../../../src/webgpu/engine.ts';
import type { BundleManifest } from '../../../src/webgpu/manifest.ts';

/** What stands in for a model: the next token after some. */
export type NextToken = (ids: readonly number[], sampling: Sampling) => number;

export interface FakeEngineOptions {
  readonly next?: NextToken;
  /** What a picked token waits for. */
  readonly pause?: () => Promise<unknown>;
}

/** Tokens that the engine picks from: printable ones of the fixture's vocabulary. */
const PICKED = 1500;

/** Some token that depends on every token before it, and on the seed. */
export function hashedNext(ids: readonly number[], { temperature = 0, seed = 0 }: Sampling): number {
  const start = temperature === 0 ? 17 : 17 + seed;
  return ids.reduce((hash, id) => (hash * 31 + id + 7) % 1_000_003, start) % PICKED;
}

/** An engine without a GPU, which demands of its caller what the interface says. */
export class FakeEngine implements Engine {
  readonly contextLength: number;
  /** Shards as they were written. */
  readonly shards = new Map<number, Uint8Array>();
  /** Tokens that the cache holds. */
  held: number[] = [];
  /** Lengths of what `generate` was given, and counts. */
  readonly calls: (readonly [fed: number, count: number])[] = [];
  disposed = false;
  readonly #manifest: BundleManifest;
  readonly #options: FakeEngineOptions;

  constructor(manifest: BundleManifest, contextLength: number, options: FakeEngineOptions) {
    this.#manifest = manifest;
    this.contextLength = contextLength;
    this.#options = options;
  }

  get position(): number {
    return this.held.length;
  }

  writeShard(index: number, bytes: Uint8Array<ArrayBuffer>): void {
    if (this.disposed || this.shards.has(index)) throw new Error(`shard ${index} again`);
    this.shards.set(index, bytes.slice());
  }

  truncate(position: number): void {
    if (position > this.held.length) throw new Error(`position ${position} of ${this.held.length}`);
    this.held = this.held.slice(0, position);
  }

  async *logits(ids: readonly number[]): AsyncGenerator<Float32Array, void> {
    for (const id of ids) {
      this.#append([id]);
      const row = new Float32Array(this.#manifest.model.vocab_size).map((_, i) => -(i % 97) / 97);
      row[this.#next({})] = 1;
      yield row;
    }
  }

  async generate(ids: readonly number[], count: number, sampling: Sampling): Promise<Uint32Array> {
    if (ids.length === 0 || count < 1) throw new Error('nothing to do');
    this.calls.push([ids.length, count]);
    this.#append(ids);
    const picked: number[] = [];
    for (let i = 0; i < count; i++) {
      if (i > 0) this.#append([picked.at(-1)!]);
      picked.push(this.#next(sampling));
      await this.#options.pause?.();
    }
    return Uint32Array.from(picked);
  }

  async stats() {
    const layers = this.#manifest.model.intermediate_sizes.length;
    const weightBytes = this.#manifest.shards.reduce((sum, { bytes }) => sum + bytes, 0);
    const wave = Array.from({ length: layers }, (_, i) => 0.1 + 0.06 * (1 + Math.sin(i + this.position / 9)));
    return {
      weightBytes,
      cacheBytes: 1152 * this.contextLength,
      workingBytes: 65_536,
      largestBinding: weightBytes,
      dispatches: { layer: 7, token: 7 * layers + 4 },
      firing: this.calls.length === 0 ? [] : wave,
      bytesPerToken: { dense: weightBytes, sparse: weightBytes / 2, cache: 1152 * this.position },
    };
  }

  dispose(): void {
    this.disposed = true;
  }

  #append(ids: readonly number[]): void {
    if (this.disposed) throw new Error('disposed');
    if (this.shards.size !== this.#manifest.shards.length) throw new Error('weights are missing');
    this.held.push(...ids);
    if (this.held.length > this.contextLength) throw new Error('the context is full');
  }

  #next(sampling: Sampling): number {
    return (this.#options.next ?? hashedNext)(this.held, sampling);
  }
}

/** Makes fake engines and remembers them. */
export function fakeEngines(options: FakeEngineOptions = {}): { create: CreateEngine; made: FakeEngine[] } {
  const made: FakeEngine[] = [];
  const create: CreateEngine = async (_device, manifest, { contextLength } = {}) => {
    const engine = new FakeEngine(manifest, contextLength ?? manifest.model.max_position_embeddings, options);
    made.push(engine);
    return engine;
  };
  return { create, made };
}
