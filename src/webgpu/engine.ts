import type { BundleManifest } from './manifest.ts';

export interface EngineOptions {
  /** Positions that the cache holds. Default: as many as the model knows. */
  readonly contextLength?: number;
}

/** Choices in the terms of generation_config.json. Left out: no restriction. */
export interface Sampling {
  /** 0: always the likeliest token. Default 0. */
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
  /** Default 0. */
  readonly seed?: number;
  /**
   * Ids below this are picked; rows of the embedding behind them are padding without a text. Default: all.
   */
  readonly tokens?: number;
}

export interface EngineStats {
  /** Bytes of GPU buffers. */
  readonly weightBytes: number;
  readonly cacheBytes: number;
  readonly workingBytes: number;
  readonly largestBinding: number;
  /** Of one token of `generate`. */
  readonly dispatches: { readonly layer: number; readonly token: number };
  /**
   * Share of neurons that fired, by layer, over the tokens that were fed one by one; empty before the first.
   */
  readonly firing: readonly number[];
  /**
   * Bytes that a token reads at the position now reached: of weights with all neurons, with those that fire,
   * and of the cache.
   */
  readonly bytesPerToken: { readonly dense: number; readonly sparse: number; readonly cache: number };
}

/** The forward pass of a bundle on a WebGPU device, one sequence at a time, one call at a time. */
export interface Engine {
  readonly contextLength: number;
  /** Positions filled so far. */
  readonly position: number;
  /**
   * Copies the weights of a shard, whole and verified, into buffers of the GPU. Each shard once, in any
   * order.
   */
  writeShard(index: number, bytes: Uint8Array<ArrayBuffer>): void;
  /** Forgets all tokens from `position` on. */
  truncate(position: number): void;
  /** Appends tokens and yields the logits after each. */
  logits(ids: readonly number[]): AsyncGenerator<Float32Array, void>;
  /**
   * Appends tokens, one at least, and picks `count` tokens: all but the last are appended as well, so that
   * the next call begins with that one. One wait for the GPU.
   */
  generate(ids: readonly number[], count: number, sampling: Sampling): Promise<Uint32Array>;
  stats(): Promise<EngineStats>;
  /** Gives up all buffers; the device stays. */
  dispose(): void;
}

/**
 * Compiles the kernels and allocates the buffers that the manifest asks for. Throws an `Error` where the
 * device lacks what they need.
 */
export type CreateEngine = (
  device: GPUDevice,
  manifest: BundleManifest,
  options?: EngineOptions,
) => Promise<Engine>;
