import { type GgufArchitecture, ggufPasses } from '../../formats/gguf/architecture.ts';
import { planGguf } from '../../formats/gguf/export.ts';
import { recipeNamed } from '../../formats/gguf/recipes.ts';
import type { SchemeOptions } from '../../formats/gguf/scheme-choice.ts';
import { unsupported, usage } from '../core/errors.ts';
import type { ExportPlan } from '../core/export-plan.ts';
import type { Imatrix } from '../core/imatrix.ts';
import type { Model } from '../core/model.ts';
import type { Statistics } from '../core/statistics.ts';
import { type PassRequest, printPassRequest, runPasses } from '../passes/run.ts';
import type { ManifestOptions } from './manifest.ts';

export interface TargetOptions extends SchemeOptions {
  /** Architecture of llama.cpp that a GGUF is for. Left out: `plm`. */
  readonly arch?: GgufArchitecture;
  /** Greatest size of a file in bytes; undefined: one file. */
  readonly shardSize?: number;
  /** Refuse instead of falling back to another scheme. */
  readonly strict?: boolean;
  /** Importances of columns, of the model before its passes. */
  readonly imatrix?: Imatrix;
  /** What passes may go by, of the model before them. */
  readonly statistics?: Statistics;
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
  /** Those that bytes depend on. */
  readonly options: ManifestOptions;
}

/** Formats of the command-line contract that this version does not write. */
const LATER_FORMATS = ['onnx', 'webgpu'];

/**
 * Plans a target such as `gguf:q8_0`.
 * @throws PressError `usage` where the target is misspelled, `unsupported` where this version cannot make it or the
 * format cannot hold the model.
 */
export async function planTarget(model: Model, target: string, options: TargetOptions = {}): Promise<Target> {
  const [, format, recipe] = /^([^:]+):(.+)$/.exec(target) ?? [];
  if (format === undefined || recipe === undefined) throw misspelled(target);
  if (LATER_FORMATS.includes(format)) {
    throw unsupported({
      what: `this version does not write ${format}`,
      got: target,
      expected: 'gguf:RECIPE',
    });
  }
  if (format !== 'gguf') throw misspelled(target);
  const { passes: wanted = [], withoutPasses = [], signal } = options;
  const required = ggufPasses(model, options.arch)
    .filter((name) => !withoutPasses.includes(name) && !wanted.some((pass) => pass.name === name))
    .map((name): PassRequest => ({ name, options: {} }));
  const passes = [...wanted, ...required];
  const { imatrix, statistics } = options;
  const known = { ...(imatrix && { importances: imatrix }), ...(statistics && { statistics }) };
  const prepared = await runPasses({ ...model, ...known }, passes, signal && { signal });
  return {
    model: prepared,
    passes: passes.map(printPassRequest),
    plan: planGguf(prepared, {
      ...{ recipe, ...options },
      ...(prepared.importances && { imatrix: prepared.importances }),
    }),
    options: { recipe: recipeNamed(recipe).name, ...recordedOptions(options) },
  };
}

/** Plans several targets, one after the other. */
export async function planTargets(
  model: Model,
  targets: readonly string[],
  options: TargetOptions = {},
): Promise<Target[]> {
  const planned: Target[] = [];
  for (const target of targets) planned.push(await planTarget(model, target, options));
  return planned;
}

/** What differs from the defaults. */
function recordedOptions(options: TargetOptions): ManifestOptions {
  const { arch = 'plm', shardSize, tokenEmbedding, tensorTypes = [], pure = false } = options;
  const { kvBRule = 'current', imatrix, statistics } = options;
  return {
    ...(arch !== 'plm' && { ggufArch: arch }),
    ...(shardSize !== undefined && { shardSize }),
    ...(tokenEmbedding !== undefined && { tokenEmbedding }),
    ...(tensorTypes.length > 0 && {
      tensorTypes: tensorTypes.map(({ pattern, scheme }) => `${pattern}=${scheme}`),
    }),
    ...(pure && { pure }),
    ...(kvBRule !== 'current' && { kvBRule }),
    ...(imatrix !== undefined && { imatrix: imatrix.name, imatrixSha256: imatrix.sha256 }),
    ...(statistics !== undefined && { statistics: statistics.name, statisticsSha256: statistics.sha256 }),
  };
}

function misspelled(target: string) {
  return usage(`unknown target ${JSON.stringify(target)}`, 'gguf:RECIPE');
}
