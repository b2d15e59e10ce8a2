import { usage } from '../core/errors.ts';
import { besideEarlier } from './artifacts/graph-folder.ts';
import type { Target } from './planning/planned-target.ts';
import type { Manifest } from './record/manifest.ts';
import { readManifest } from './record/manifest-reader.ts';
import { type Fill, transcodingFill } from './writing/fill.ts';
import {
  assertWritable,
  type WriteOptions,
  type WrittenTargets,
  writeTargets,
} from './writing/write-targets.ts';

/** `targets` come from `planTargets(model, …)`. */
export interface ConvertOptions extends WriteOptions {
  /**
   * Threads that transcode; default: by cores, memory and model, see `defaultThreads`. Bytes do not depend on
   * it.
   */
  readonly threads?: number | undefined;
  /** Most bytes that the process may hold. Bytes written do not depend on it. */
  readonly maxMemory?: number | undefined;
  /** Bytes that measuring takes while weights are converted. Left out: none. */
  readonly measuring?: number | undefined;
  /** Stop before anything is created. */
  readonly dryRun?: boolean | undefined;
}

export interface ConvertResult extends Pick<WrittenTargets, 'files'> {
  /** What `plmpress.json` holds now; undefined after a dry run. */
  readonly manifest: Manifest | undefined;
}

/**
 * Writes the targets into the output folder, then the manifest.
 * @throws PressError `usage` where two targets write one file; `unsupported` and `invalid-input` where
 * weights cannot be converted; `local-io` and `locked` as the commit protocol of src/io does, and where
 * `maxMemory` is too small. Whatever is thrown, the output folder is as it was, but for what `resume` keeps.
 */
export async function convert(options: ConvertOptions): Promise<ConvertResult> {
  const fill = openFill(options);
  if (options.dryRun) return { files: await plannedFiles(options), manifest: undefined };
  return writeTargets(options, fill);
}

/**
 * Refuses what `convert` would refuse before it reads a weight, for those who have long work to do before it.
 * @throws PressError as `convert` does.
 */
export async function assertConvertible(options: ConvertOptions): Promise<void> {
  openFill(options);
  if (!options.dryRun) await assertWritable(options);
}

function openFill(options: ConvertOptions): Fill {
  const { model, targets, maxMemory, measuring, threads, progress, signal } = options;
  assertDistinct(targets);
  const files = targets.flatMap(({ plan }) => plan.files);
  return transcodingFill(
    files.flatMap(({ tensors }) => tensors),
    {
      files: model.files,
      threads,
      maxMemory,
      measuring,
      making: Math.max(0, ...files.map(({ makingBytes = 0 }) => makingBytes)),
      progress,
      signal,
    },
  );
}

/** What would be written. */
async function plannedFiles({ targets, model, output }: ConvertOptions): Promise<ConvertResult['files']> {
  const previous = await readManifest(output).catch(() => undefined);
  const beside = await besideEarlier(targets, model, output, previous);
  return beside.targets.flatMap(({ plan }) => plan.files.map(({ name, bytes }) => ({ path: name, bytes })));
}

/** Throws `usage` where two targets write one file. */
export function assertDistinct(targets: readonly Target[]): void {
  const writers = new Map<string, string>();
  for (const { plan } of targets) {
    for (const { name } of plan.files) {
      const other = writers.get(name);
      if (other !== undefined) throw usage(`${other} and ${plan.target} both write ${name}`);
      writers.set(name, plan.target);
    }
  }
}
