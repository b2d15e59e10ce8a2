import type { Progress } from '../src/core/jobs/progress.ts';
import type { Model } from '../src/core/model.ts';
import type { HiddenStates } from '../src/runtime/hidden-states.ts';
import type { HeadStatistics, LayerStatistics, MomentSite } from '../src/runtime/layer-sums.ts';
import { LayeredRuntime } from '../src/runtime/layered-runtime.ts';
import type { Chunk } from './chunks.ts';

/** Runs a model over chunks of text, layer by layer, and sums up its activations. Logits are never computed. */
export interface StatisticsRuntime {
  /**
   * Sends all tokens through the next layer; without `moments` no second moments are summed up. Views in what
   * it returns hold until the next call.
   */
  nextLayer(moments?: boolean): Promise<LayerStatistics>;
  /** Sums of what the head is multiplied with, once all layers are done. */
  head(): Promise<HeadStatistics>;
  close(): Promise<void>;
}

export interface StatisticsRequest {
  readonly chunks: readonly Chunk[];
  /** Where second moments are wanted. */
  readonly moments: ReadonlySet<MomentSite>;
}

export interface ReadingOptions {
  /** Default: `defaultThreads`. */
  readonly threads?: number | undefined;
  /** The residual stream after `layers` layers, with which to go on. Left out: the start, in memory. */
  readonly from?: { readonly states: HiddenStates; readonly layers: number };
  /** Hears of the tokens that have gone through a layer. */
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Opens the reference runtime. It takes `runtimeBytes` of memory. */
export async function openStatisticsRuntime(
  model: Model,
  request: StatisticsRequest,
  { from, ...options }: ReadingOptions,
): Promise<StatisticsRuntime> {
  const runtime = await LayeredRuntime.open(model, request.chunks, {
    ...options,
    ...(from && { states: from.states, layers: from.layers }),
    sums: sumsOf(request),
  });
  return {
    async nextLayer(moments) {
      await runtime.nextLayer(moments);
      return runtime.layerStatistics();
    },
    head: () => runtime.headStatistics(),
    close: () => runtime.close(),
  };
}

/** Working memory of the reference runtime, without the hidden states. */
export function runtimeBytes(model: Model, request: StatisticsRequest): number {
  return LayeredRuntime.memoryBytes(model, request.chunks, { sums: sumsOf(request) });
}

function sumsOf({ chunks, moments }: StatisticsRequest) {
  return { tokens: tokenCount(chunks), moments };
}

export function tokenCount(chunks: readonly Chunk[]): number {
  return chunks.reduce((sum, { ids }) => sum + ids.length, 0);
}

/** Tokens, each as often as its text weighs. */
export function weighedTokens(chunks: readonly Chunk[]): number {
  return chunks.reduce((sum, { ids, weight }) => sum + weight * ids.length, 0);
}
