import { PressError, unsupported, usage } from '../../core/errors.ts';
import type { Imatrix } from '../../core/imatrix.ts';
import type { Model } from '../../core/model.ts';
import type { Statistics } from '../../core/statistics.ts';
import { PASSES } from '../../passes/index.ts';
import { parsePassRequest } from '../../passes/run.ts';
import type { Target } from '../planning/planned-target.ts';
import { planTarget } from '../planning/target.ts';
import type { TargetOptions } from '../planning/target-options.ts';
import type { ManifestOptions, RecordedTarget } from './manifest.ts';
import { replayOptions } from './recorded-options.ts';

/** Files that targets were planned with, beside the source. */
export interface PlanningFiles {
  readonly imatrix?: Imatrix | undefined;
  readonly statistics?: Statistics | undefined;
}

/**
 * Plans a target again by its record, without the files beside graphs, which `withCompanions` adds.
 * @throws PressError usage where a file that it was planned with is not given; verification where it is
 * another one; unsupported where the record says what this version does not know.
 */
export async function replayTarget(
  model: Model,
  recorded: RecordedTarget,
  files: PlanningFiles,
  signal?: AbortSignal,
): Promise<Target> {
  const chosen = chosenFiles(recorded, files);
  try {
    return await planTarget(model, recorded.target, {
      ...optionsOf(recorded),
      ...chosen,
      signal,
    });
  } catch (error) {
    // A wrong value in a record is not an error of the command line.
    if (!(error instanceof PressError) || error.failure !== 'usage') throw error;
    throw unsupported({ field: recorded.target, what: `cannot be planned again: ${error.message}` });
  }
}

/**
 * Refuses files that none of the records names: they would change nothing.
 * @throws PressError usage
 */
export function assertFilesRecorded(
  records: readonly RecordedTarget[],
  paths: { readonly [Kind in keyof PlanningFiles]?: string },
): void {
  for (const kind of ['imatrix', 'statistics'] as const) {
    if (paths[kind] === undefined || records.some(({ options }) => options[kind] !== undefined)) continue;
    throw usage(`no artifact here was made with --${kind}; leave it out`);
  }
}

/** All options but those that name files. */
function optionsOf({ options, passes }: RecordedTarget): TargetOptions {
  const { recipe, scheme, graphs, imatrix, imatrixSha256, statistics, statisticsSha256, ...rest } = options;
  return {
    ...replayOptions(rest),
    passes: passes.map(parsePassRequest),
    // The record has those that the format needed.
    withoutPasses: PASSES.map(({ name }) => name),
    allowRequantize: true,
  };
}

/** The files by the names that the record has for them: artifacts hold these. */
function chosenFiles(
  { target, options }: RecordedTarget,
  given: PlanningFiles,
): Pick<TargetOptions, keyof PlanningFiles> {
  const imatrix = chosenFile(target, options, 'imatrix', given.imatrix);
  const statistics = chosenFile(target, options, 'statistics', given.statistics);
  return { ...(imatrix && { imatrix }), ...(statistics && { statistics }) };
}

function chosenFile<File extends Imatrix | Statistics>(
  target: string,
  options: ManifestOptions,
  kind: keyof PlanningFiles,
  given: File | undefined,
): File | undefined {
  const [name, sha256] = [options[kind], options[`${kind}Sha256`]];
  if (name === undefined) return undefined;
  if (given === undefined) throw usage(`${target} was made with ${name}`, `--${kind} FILE`);
  if (given.sha256 !== sha256) {
    const what = `is not the ${kind} that ${target} was made with`;
    throw new PressError('verification', {
      file: given.name,
      what,
      got: given.sha256,
      expected: `${sha256}`,
    });
  }
  return { ...given, name: `${name}` };
}
