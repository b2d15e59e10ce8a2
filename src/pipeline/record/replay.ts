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
import type { RecordedInputs, RecordedPaths } from './recorded-source.ts';

/** Files that targets were planned with, beside the source. */
export interface PlanningFiles {
  readonly imatrix?: Imatrix | undefined;
  readonly statistics?: Statistics | undefined;
  /** Statistics that are measured meanwhile. */
  readonly calibration?: Statistics | undefined;
}

/** The flag that takes each of them, and what messages call it. */
const KINDS: Readonly<Record<keyof PlanningFiles, { readonly flag: string; readonly what: string }>> = {
  imatrix: { flag: '--imatrix', what: 'imatrix' },
  statistics: { flag: '--statistics', what: 'statistics' },
  calibration: { flag: '--text', what: 'text' },
};

export function planningFiles({ imatrix, statistics, live }: RecordedInputs): PlanningFiles {
  return { imatrix, statistics, calibration: live?.statistics };
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
  { imatrix, statistics, texts }: Pick<RecordedPaths, 'imatrix' | 'statistics' | 'texts'>,
): void {
  const given = { imatrix, statistics, calibration: texts };
  for (const kind of ['imatrix', 'statistics', 'calibration'] as const) {
    if (given[kind] === undefined || records.some(({ options }) => options[kind] !== undefined)) continue;
    throw usage(`no artifact here was made with ${KINDS[kind].flag}; leave it out`);
  }
}

/** Tokens that the conversions read while they ran; undefined where none read any. */
export function recordedCalibrationTokens(records: readonly RecordedTarget[]): number | undefined {
  const tokens = records.map(({ options }) => options.calibrationTokens);
  return tokens.find((count) => typeof count === 'number');
}

/** All options but those that name files. */
function optionsOf({ options, passes }: RecordedTarget): TargetOptions {
  const { recipe, scheme, graphs, ...chosen } = options;
  const { imatrix, imatrixSha256, statistics, statisticsSha256, ...others } = chosen;
  const { calibration, calibrationSha256, calibrationTokens, ...rest } = others;
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
): Pick<TargetOptions, 'imatrix' | 'statistics'> {
  const imatrix = chosenFile(target, options, 'imatrix', given.imatrix);
  const statistics =
    chosenFile(target, options, 'statistics', given.statistics) ??
    chosenFile(target, options, 'calibration', given.calibration);
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
  if (given === undefined) throw usage(`${target} was made with ${name}`, `${KINDS[kind].flag} FILE`);
  if (given.sha256 !== sha256) {
    const what = `is not the ${KINDS[kind].what} that ${target} was made with`;
    throw new PressError('verification', {
      file: given.name,
      what,
      got: given.sha256,
      expected: `${sha256}`,
    });
  }
  return { ...given, name: `${name}` };
}
