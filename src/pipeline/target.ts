import { type GgufArchitecture, ggufPasses } from '../../formats/gguf/architecture.ts';
import { planGguf } from '../../formats/gguf/export.ts';
import { recipeNamed } from '../../formats/gguf/recipes.ts';
import type { SchemeOptions } from '../../formats/gguf/scheme-choice.ts';
import { onnxPasses } from '../../formats/onnx/architecture.ts';
import { planOnnx } from '../../formats/onnx/export.ts';
import type { GraphFile } from '../../formats/onnx/folder/graph-file.ts';
import { companionFiles } from '../../formats/onnx/folder/index.ts';
import { onnxSchemeNamed } from '../../formats/onnx/schemes.ts';
import { readAssets } from '../../formats/webgpu/assets.ts';
import { planBundle } from '../../formats/webgpu/export.ts';
import { bundlePasses } from '../../formats/webgpu/geometry.ts';
import { webgpuSchemeNamed } from '../../formats/webgpu/schemes.ts';
import type { CacheForm } from '../core/config.ts';
import { usage } from '../core/errors.ts';
import type { ExportPlan } from '../core/export-plan.ts';
import type { Imatrix } from '../core/imatrix.ts';
import type { Model } from '../core/model.ts';
import type { Statistics } from '../core/statistics.ts';
import type { Quality } from '../passes/calibrated-rounding.ts';
import { type PassRequest, printPassRequest, runPasses } from '../passes/run.ts';
import {
  type Allocation,
  type AllocationRequest,
  assertSizesPossible,
  exactly,
} from './allocation/allocate.ts';
import { type AllocatedModel, WidthAllocator } from './allocation/width-allocator.ts';
import type { ManifestOptions } from './manifest.ts';
import { type OptionName, recordOptions } from './recorded-options.ts';
import { assertSameGeometry } from './same-geometry.ts';
import { selfTest } from './self-test.ts';
import { VERSION } from './version.ts';

export interface TargetOptions extends SchemeOptions {
  /** Architecture of llama.cpp that a GGUF is for. Left out: `plm`. */
  readonly arch?: GgufArchitecture;
  /** What the KV cache of an ONNX graph holds. Left out: the latent. */
  readonly cache?: CacheForm;
  /** How hard to try with what rounds weights in a GGUF or an ONNX graph. Left out: fast. */
  readonly quality?: Quality;
  /** Greatest size of a file in bytes; undefined: one file. */
  readonly shardSize?: number;
  /** Refuse instead of falling back to another scheme. */
  readonly strict?: boolean;
  /** Importances of columns, of the model before its passes. */
  readonly imatrix?: Imatrix;
  /** What passes may go by, of the model before them. */
  readonly statistics?: Statistics;
  /** Choose the schemes of a GGUF by its size. */
  readonly allocation?: AllocationRequest;
  /** Passes to run first, in this order; those that the format needs follow. */
  readonly passes?: readonly PassRequest[];
  /** Passes that the format needs and that shall not run all the same. */
  readonly withoutPasses?: readonly string[];
  /** Ends the passes. */
  readonly signal?: AbortSignal;
  /** Take sources that are quantized, where a tensor changes its scheme. */
  readonly allowRequantize?: boolean;
}

/** One `--to`, planned: every offset and size is known, nothing has been read or written. */
export interface Target {
  /** The model as the artifact holds it: its passes have run. */
  readonly model: Model;
  /** Passes that have run, as `plmpress.json` records them. */
  readonly passes: readonly string[];
  readonly plan: ExportPlan;
  /** What the files beside an ONNX graph tell of it. */
  readonly graph?: GraphFile;
  /** How schemes were chosen by size. */
  readonly allocation?: Allocation;
  /** Those that bytes depend on. */
  readonly options: ManifestOptions;
}

/** What a format does with a recipe or scheme. */
interface Format {
  /** Passes that it needs and that the model still lacks. */
  readonly passes: (model: Model, options: TargetOptions) => string[];
  readonly plan: (
    model: Model,
    recipe: string,
    options: TargetOptions,
    passes: readonly string[],
  ) =>
    | Pick<Target, 'plan' | 'graph'>
    | Promise<Pick<Target, 'plan'> & Partial<Pick<Target, 'allocation' | 'model' | 'passes'>>>;
  /** What it calls that which follows the colon of a target, and the right spelling of one. Throws `usage` for an unknown one. */
  readonly kind: 'recipe' | 'scheme';
  readonly named: (recipe: string) => string;
  /** Options that its bytes depend on. */
  readonly options: readonly OptionName[];
}

const FORMATS: Readonly<Record<string, Format>> = {
  gguf: {
    passes: (model, { arch }) => ggufPasses(model, arch),
    plan: async (model, recipe, options, passes) => {
      const plan = (of: Model, changed: TargetOptions) =>
        planGguf(of, {
          recipe,
          version: VERSION,
          ...changed,
          ...(of.importances && { imatrix: of.importances }),
        });
      if (options.allocation === undefined) return { plan: plan(model, options) };
      const { allocation, ...pruned } = await allocate(model, recipe, options, options.allocation);
      return {
        plan: plan(pruned.model, withAllocation(options, allocation)),
        ...{ allocation, model: pruned.model, passes: [...passes, ...pruned.passes] },
      };
    },
    kind: 'recipe',
    named: (recipe) => recipeNamed(recipe).name,
    options: ['quality', 'ggufArch', 'tokenEmbedding', 'tensorTypes', 'pure', 'kvBRule', 'shardSize'],
  },
  onnx: {
    passes: (model, { cache = 'latent' }) => onnxPasses(model, cache),
    plan: (model, scheme, options) => planOnnx(model, { scheme, version: VERSION, ...options }),
    kind: 'scheme',
    named: (scheme) => onnxSchemeNamed(scheme).name,
    options: ['cache', 'quality', 'shardSize'],
  },
  webgpu: {
    passes: bundlePasses,
    plan: async (model, scheme, options, passes) => {
      const assets = await readAssets();
      return { plan: planBundle(model, { scheme, version: VERSION, ...options, passes, assets, selfTest }) };
    },
    kind: 'scheme',
    named: (scheme) => webgpuSchemeNamed(scheme).name,
    options: ['tokenEmbedding', 'tensorTypes', 'quality', 'shardSize'],
  },
};

/**
 * Plans a target such as `gguf:q8_0`.
 * @throws PressError `usage` where the target is misspelled, `unsupported` where the format cannot hold the model,
 * `invalid-input` where importances or statistics are of another one.
 */
export async function planTarget(model: Model, target: string, options: TargetOptions = {}): Promise<Target> {
  const { format, recipe } = parseTarget(target);
  const { passes: wanted = [], withoutPasses = [], signal } = options;
  const required = format
    .passes(model, options)
    .filter((pass) => !withoutPasses.includes(pass) && !wanted.some((other) => other.name === pass))
    .map((pass): PassRequest => ({ name: pass, options: {} }));
  const passes = [...wanted, ...required];
  const { imatrix, statistics } = options;
  assertSameGeometry(model, { imatrix, statistics });
  const known = { ...(imatrix && { importances: imatrix }), ...(statistics && { statistics }) };
  const prepared = await runPasses({ ...model, ...known }, passes, signal && { signal });
  const printed = passes.map(printPassRequest);
  const planned = await format.plan(prepared, recipe, options, printed);
  const effective = 'allocation' in planned ? withAllocation(options, planned.allocation) : options;
  return {
    model: prepared,
    passes: printed,
    ...planned,
    options: {
      [format.kind]: format.named(recipe),
      ...recordOptions(format.options, effective),
      ...recordedFiles(options),
    },
  };
}

function parseTarget(target: string): {
  readonly format: Format;
  readonly name: string;
  readonly recipe: string;
} {
  const [, name = '', recipe = ''] = /^([^:]+):(.+)$/.exec(target) ?? [];
  const format = Object.hasOwn(FORMATS, name) ? FORMATS[name] : undefined;
  if (format === undefined) throw usage(`unknown target ${JSON.stringify(target)}`, TARGETS);
  return { format, name, recipe };
}

/** A target as it is spelled in records, whatever case or alias it is given in. Throws `usage` for an unknown one. */
export function targetNamed(target: string): string {
  const { format, name, recipe } = parseTarget(target);
  return `${name}:${format.named(recipe)}`;
}

async function allocate(
  model: Model,
  recipe: string,
  options: TargetOptions,
  { targetBytes, ffnWidths = [], ...request }: AllocationRequest,
): Promise<AllocatedModel> {
  assertSizesPossible([targetBytes], model, { recipe, options }, ffnWidths);
  const allocator = new WidthAllocator(model, ffnWidths, { recipe, options, ...request });
  try {
    return await allocator.allocate(targetBytes);
  } finally {
    await allocator.close();
  }
}

/** Schemes that were asked for by name come first. */
export function withAllocation(options: TargetOptions, allocation: Allocation | undefined): TargetOptions {
  if (allocation === undefined) return options;
  const chosen = allocation.tensors.map(({ name, scheme }) => exactly(name, scheme));
  return { ...options, tensorTypes: [...(options.tensorTypes ?? []), ...chosen] };
}

const TARGETS = 'gguf:RECIPE, onnx:SCHEME or webgpu:SCHEME';

/** Plans several targets, one after the other. The first ONNX graph brings the files that a folder of graphs needs. */
export async function planTargets(
  model: Model,
  targets: readonly string[],
  options: TargetOptions = {},
): Promise<Target[]> {
  const planned: Target[] = [];
  for (const target of targets) planned.push(await planTarget(model, target, options));
  return withCompanions(planned);
}

/**
 * Adds to the first target that is a graph the files that tell of all graphs. They depend on which those are, and on their order;
 * where there are several, it records them.
 */
export function withCompanions(targets: readonly Target[]): Target[] {
  const graphs = targets.filter(({ graph }) => graph !== undefined);
  const [first] = graphs;
  if (first === undefined) return [...targets];
  const { files, notes } = companionFiles(
    first.model,
    graphs.map(({ graph }) => graph!),
  );
  const planned = files.map(({ name, text }) => {
    const bytes = new TextEncoder().encode(text);
    return { name, bytes: bytes.length, head: [{ offset: 0, bytes }], tensors: [] };
  });
  const { plan, options } = first;
  const whole: Target = {
    ...first,
    plan: { ...plan, files: [...plan.files, ...planned], notes: [...plan.notes, ...notes] },
    options: { ...options, ...(graphs.length > 1 && { graphs: graphs.map(({ plan }) => plan.target) }) },
  };
  return targets.map((target) => (target === first ? whole : target));
}

function recordedFiles({ imatrix, statistics }: TargetOptions): ManifestOptions {
  return {
    ...(imatrix !== undefined && { imatrix: imatrix.name, imatrixSha256: imatrix.sha256 }),
    ...(statistics !== undefined && { statistics: statistics.name, statisticsSha256: statistics.sha256 }),
  };
}
