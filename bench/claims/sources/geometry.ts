import { readFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { RECIPES } from '../../../formats/gguf/recipes.ts';
import {
  type CacheForm,
  kvCacheBytesPerToken,
  kvCacheElements,
  type PlmConfig,
} from '../../../src/core/config.ts';
import { plannedBytes } from '../../../src/core/export-plan.ts';
import { parameterCount } from '../../../src/core/names.ts';
import { SCHEMES, type SchemeName } from '../../../src/core/scheme.ts';
import { parsePassRequest, runPass } from '../../../src/passes/run.ts';
import { DEVICES, usableBytes } from '../../../src/pipeline/plan/devices.ts';
import { predict } from '../../../src/pipeline/plan/predict.ts';
import type { Target } from '../../../src/pipeline/planning/planned-target.ts';
import { planTarget } from '../../../src/pipeline/planning/target.ts';
import { hollowModel, PLM_1_8B } from '../../../test/support/builders/hollow-model.ts';
import { repoRoot } from '../../../test/support/paths.ts';
import { exact, type Source } from '../source.ts';
import { targetOptions } from './target-options.ts';

const { numAttentionHeads: HEADS, kvLoraRank, qkNopeHeadDim, qkRopeHeadDim, vHeadDim } = PLM_1_8B;
/** Multiplications that attention takes for a cached token, in each layer. */
const LATENT_MACS = HEADS * (2 * kvLoraRank + qkRopeHeadDim);
const EXPANDED_MACS = HEADS * (qkNopeHeadDim + qkRopeHeadDim + vHeadDim);
/** Of the keys and values of a token out of its latent. */
const EXPANSION_MACS = HEADS * kvLoraRank * (qkNopeHeadDim + vHeadDim);

/**
 * Figures that follow from the geometry of PLM-1.8B and from sizes of schemes: no weight is read, nothing may
 * be off.
 */
export const GEOMETRY_SOURCES: Readonly<Record<string, Source>> = {
  /** `plm-1.8b FIELD…` of its config. */
  'plm-1.8b': exact((fields) =>
    fields.map((field) => Number([PLM_1_8B[field as keyof PlmConfig]].flat()[0])),
  ),
  /** `size TARGET [OPTION…]`: GB of the tensors of PLM-1.8B. */
  size: exact(async (args) => [weightBytes(await planned(args)) / 1e9]),
  /** `read TARGET [OPTION…]`: GB that a token reads behind a full context, weights and cache. */
  read: exact(async (args) => {
    const target = await planned(args);
    const form = args.includes('arch=deepseek2') ? 'latent' : 'expanded';
    const cache = PLM_1_8B.maxPositionEmbeddings * kvCacheBytesPerToken(PLM_1_8B, form);
    return [(weightBytes(target) + cache) / 1e9];
  }),
  /** `sparse-read TARGET [OPTION…]`: GB of weights that a token reads where a tenth of the neurons fires. */
  'sparse-read': exact(async (args) => {
    const target = await planned(args);
    return [(weightBytes(target) - 0.9 * weightBytes(target, /down_proj/)) / 1e9];
  }),
  /**
   * `published`: bytes of weights of PLM-1.8B's published q4_k_m, and of its largest context in tokens and
   * cache in MB.
   */
  published: exact(async () => {
    const context = PLM_1_8B.maxPositionEmbeddings;
    const cache = context * kvCacheBytesPerToken(PLM_1_8B, 'expanded');
    return [weightBytes(await planned(['gguf:q4_k_m', 'kv-b-rule=2025-03'])), context, cache / 1e6];
  }),
  /** `rates DEVICE`: tokens per second of that file, with an empty and a full context. */
  rates: exact(async ([name = '']) => {
    const [cost] = predict(hollowModel(PLM_1_8B), [
      await planned(['gguf:q4_k_m', 'kv-b-rule=2025-03']),
    ]).targets;
    const { empty, full } = cost!.devices.find((device) => device.name === name)!.tokensPerSecond;
    return [empty, full];
  }),
  /** `overhead`: MiB that a runtime holds beside weights and cache, and the context in tokens. */
  overhead: exact(async () => {
    const target = await planned(['gguf:q4_k_m']);
    const { context, targets } = predict(hollowModel(PLM_1_8B), [target]);
    const header = target.plan.files[0]!.bytes - weightBytes(target);
    return [(targets[0]!.overheadBytes - header) / 2 ** 20, context];
  }),
  /** `device NAME`: GB per second, GB, and GB that a program can have. */
  device: exact(([name]) => {
    const device = DEVICES.find((known) => known.name === name)!;
    return [device.bytesPerSecond / 1e9, device.memoryBytes / 1e9, usableBytes(device) / 1e9];
  }),
  /** `cache FORM…`: bytes per token of PLM-1.8B in f16. */
  cache: exact((forms) => forms.map((form) => kvCacheBytesPerToken(PLM_1_8B, form as CacheForm))),
  /** `full-cache FORM`: bytes per token in f16, MiB of the whole context, and the context in tokens. */
  'full-cache': exact(([form = '']) => {
    const bytes = kvCacheBytesPerToken(PLM_1_8B, form as CacheForm);
    const context = PLM_1_8B.maxPositionEmbeddings;
    return [bytes, (context * bytes) / 2 ** 20, context];
  }),
  /** `layer-cache FORM…`: elements per token and layer. */
  'layer-cache': exact((forms) =>
    forms.map((form) => kvCacheElements(PLM_1_8B, form as CacheForm) / PLM_1_8B.numHiddenLayers),
  ),
  /** `attention-macs latent|expanded|ratio…`: multiplications per layer and cached token. */
  'attention-macs': exact((names) => {
    const macs = { latent: LATENT_MACS, expanded: EXPANDED_MACS, ratio: LATENT_MACS / EXPANDED_MACS };
    return names.map((name) => macs[name as keyof typeof macs]);
  }),
  /**
   * `expansion`: chunk from which on expanding pays, millions of multiplications per cached token, and saved
   * per pair.
   */
  expansion: exact(() => {
    const saved = LATENT_MACS - EXPANDED_MACS;
    return [EXPANSION_MACS / saved, EXPANSION_MACS / 1e6, saved];
  }),
  /** `moments BYTES`: MB of the second moments of down_proj's inputs, by bytes per pair of channels. */
  moments: exact(([bytes]) => {
    const width = PLM_1_8B.intermediateSizes[0]!;
    return [(Number(bytes) * width * (width + 1)) / 2 / 1e6];
  }),
  /** `embedding-values`: MB of the codes of PLM-1.8B's embedding in 4 bits. */
  'embedding-values': exact(() => [(PLM_1_8B.vocabSize * PLM_1_8B.hiddenSize) / 2 / 1e6]),
  /** `parameters`: of PLM-1.8B. */
  parameters: exact(() => [parameterCount(PLM_1_8B)]),
  /** `premultiplied`: what that form of `absorb-mla` adds. */
  premultiplied: exact(async () => {
    const model = await runPass(hollowModel(PLM_1_8B), parsePassRequest('absorb-mla:form=premultiplied'));
    return [parameterCount(model.config) - parameterCount(PLM_1_8B)];
  }),
  /** `bits SCHEME…`: per weight. */
  bits: exact((schemes) =>
    schemes.map(
      (name) => (8 * SCHEMES[name as SchemeName].blockBytes) / SCHEMES[name as SchemeName].blockSize,
    ),
  ),
  /** `block SCHEME…`: weights per block. */
  block: exact((schemes) => schemes.map((name) => SCHEMES[name as SchemeName].blockSize)),
  /** `recipes`: how many there are for a GGUF. */
  recipes: exact(() => [RECIPES.length]),
  /** `swiglu-bound`: t² exp(-t) at its highest, which bounds t² sigmoid(-t). */
  'swiglu-bound': exact(() => [4 * Math.exp(-2)]),
  /** `runtime-size`: kB of the runtime of WebGPU bundles, gzipped. */
  'runtime-size': exact(() => {
    const file = path.join(repoRoot, 'dist', 'src', 'webgpu', 'runtime.js');
    return [gzipSync(readFileSync(file)).length / 1000];
  }),
};

const targets = new Map<string, Promise<Target>>();

/** Of PLM-1.8B, once for all marks that name it. */
function planned([target = '', ...options]: readonly string[]): Promise<Target> {
  const key = [target, ...options].join(' ');
  const plan = targets.get(key) ?? planTarget(hollowModel(PLM_1_8B), target, targetOptions(options));
  targets.set(key, plan);
  return plan;
}

/** Of the tensors whose name matches. */
function weightBytes({ plan }: Target, names = /./): number {
  const tensors = plan.files.flatMap((file) => file.tensors);
  return tensors
    .filter(({ name, source }) => names.test(name) || names.test(source.name))
    .reduce((sum, tensor) => sum + plannedBytes(tensor), 0);
}
