import { isHalf } from '../../../formats/onnx/folder/graph-file.ts';
import {
  type CacheForm,
  kvCacheBytesPerToken,
  kvCacheElements,
  type PlmConfig,
  qkHeadDim,
} from '../../core/config.ts';
import { usage } from '../../core/errors.ts';
import { type ExportPlan, plannedBytes } from '../../core/export-plan.ts';
import type { Model } from '../../core/model.ts';
import { FORMATS, targetFormat } from '../formats/index.ts';
import type { Target } from '../planning/planned-target.ts';
import { decodeMacs } from './decode-macs.ts';
import { DEVICES, type DeviceProfile, usableBytes } from './devices.ts';

/** A figure before the first token, and with the whole context cached. */
export interface OverContext {
  readonly empty: number;
  readonly full: number;
}

/** A target on a device. */
export interface DeviceCost {
  readonly name: string;
  /** Most tokens per second that the memory lets through: bandwidth / bytes per token. */
  readonly tokensPerSecond: OverContext;
  readonly usableBytes: number;
  readonly fits: boolean;
}

/** Costs of a target that do not depend on the device. */
export interface TargetCost {
  readonly target: string;
  /** Of all files, exactly. */
  readonly fileBytes: number;
  /** Of all tensors: what decoding one token reads, sparsity left aside. */
  readonly weightBytes: number;
  readonly cache: CacheForm;
  readonly kvBytesPerToken: number;
  /** Of the whole context. */
  readonly kvBytes: number;
  readonly flopsPerToken: OverContext;
  /** Memory of a runtime beside weights and cache. */
  readonly overheadBytes: number;
  /** Weights, cache of the whole context, overhead. */
  readonly peakBytes: number;
  readonly devices: readonly DeviceCost[];
}

export interface Prediction {
  readonly name: string;
  /** Tokens. */
  readonly context: number;
  readonly devices: readonly DeviceProfile[];
  /** The largest weights first. */
  readonly targets: readonly TargetCost[];
}

export interface PredictOptions {
  /** Tokens that the cache is to hold; default: as many as the model takes. */
  readonly context?: number;
  /** Default: `DEVICES`. */
  readonly devices?: readonly DeviceProfile[];
}

/** Tokens that llama.cpp reads at once (n_ubatch). */
const BATCH = 512;
const F32_BYTES = 4;

/**
 * What targets of a model cost on devices, from shapes alone.
 * @throws PressError `usage` where the model has fewer positions than `context`.
 */
export function predict(model: Model, targets: readonly Target[], options: PredictOptions = {}): Prediction {
  const { context = model.config.maxPositionEmbeddings, devices = DEVICES } = options;
  const { maxPositionEmbeddings } = model.config;
  if (context > maxPositionEmbeddings) {
    throw usage(`a context of ${context} tokens`, `at most the model's ${maxPositionEmbeddings}`);
  }
  const costs = targets.map((target) => targetCost(target, context, devices));
  return {
    name: model.name,
    context,
    devices,
    targets: costs.toSorted((a, b) => b.weightBytes - a.weightBytes),
  };
}

function targetCost(target: Target, context: number, devices: readonly DeviceProfile[]): TargetCost {
  const { model, plan } = target;
  const { config } = model;
  const { cache, kvBytesPerToken } = cacheOf(target);
  const fileBytes = plan.files.reduce((sum, file) => sum + file.bytes, 0);
  const weightBytes = storedBytes(plan);
  const kvBytes = context * kvBytesPerToken;
  const overheadBytes = fileBytes - weightBytes + computeBytes(target, context);
  const peakBytes = weightBytes + kvBytes + overheadBytes;
  const flops = (length: number) => 2 * decodeMacs(config, cache, length);
  return {
    target: plan.target,
    fileBytes,
    weightBytes,
    cache,
    kvBytesPerToken,
    kvBytes,
    flopsPerToken: { empty: flops(0), full: flops(context) },
    overheadBytes,
    peakBytes,
    devices: devices.map((device) => ({
      name: device.name,
      tokensPerSecond: {
        empty: device.bytesPerSecond / weightBytes,
        full: device.bytesPerSecond / (weightBytes + kvBytes),
      },
      usableBytes: usableBytes(device),
      fits: peakBytes <= usableBytes(device),
    })),
  };
}

/** Graphs keep what they compute with; llama.cpp and bundles keep f16. */
function cacheOf({
  graph,
  plan,
  options,
  model: { config },
}: Target): Pick<TargetCost, 'cache' | 'kvBytesPerToken'> {
  const cache = FORMATS[targetFormat(plan.target)!].cacheOf(options);
  if (graph === undefined) return { cache, kvBytesPerToken: kvCacheBytesPerToken(config, cache) };
  return { cache, kvBytesPerToken: kvCacheElements(config, cache) * (isHalf(graph) ? 2 : F32_BYTES) };
}

function storedBytes({ files }: ExportPlan): number {
  const tensors = files.flatMap((file) => file.tensors);
  return tensors.reduce((sum, tensor) => sum + plannedBytes(tensor), 0);
}

/**
 * What llama.cpp reserves for the activations of one batch while it reads a prompt: the larger of its last
 * step (the logits) and of an attention, each beside some rows of the hidden size. For PLM-1.8B it is right
 * to 4 MiB from 256 to 16,384 tokens.
 */
function computeBytes({ model: { config }, options }: Target, context: number): number {
  const { hiddenSize, vocabSize } = config;
  const logits = 3 * hiddenSize + vocabSize;
  const attention =
    options.ggufArch === 'deepseek2' ? flashAttention(config, context) : plainAttention(config, context);
  return F32_BYTES * Math.min(BATCH, context) * Math.max(logits, attention);
}

/**
 * Values per token of an attention without flash attention: hidden rows, queries, keys, values, scores, mask.
 */
function plainAttention(config: PlmConfig, context: number): number {
  const { hiddenSize, numAttentionHeads: heads, vHeadDim } = config;
  return 4 * hiddenSize + heads * (2 * qkHeadDim(config) + vHeadDim) + (heads + 1) * context;
}

/**
 * The same of flash attention over the latent: queries before and after W_UK^T, the attended latent, values,
 * a mask in f16.
 */
function flashAttention(config: PlmConfig, context: number): number {
  const { hiddenSize, numAttentionHeads: heads, kvLoraRank, qkRopeHeadDim, vHeadDim } = config;
  const ofHead = qkHeadDim(config) + 2 * kvLoraRank + qkRopeHeadDim + vHeadDim;
  return 3 * hiddenSize + heads * ofHead + context / 2;
}
