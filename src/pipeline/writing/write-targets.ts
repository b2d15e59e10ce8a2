import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { PressError } from '../../core/errors.ts';
import type { Making, PlannedFile, PlannedTensor, SealedFile } from '../../core/export-plan.ts';
import type { Progress } from '../../core/jobs/progress.ts';
import type { Model } from '../../core/model.ts';
import { firstNames } from '../../core/text/name-list.ts';
import type { InputFile } from '../../io/input-file.ts';
import { isFolder } from '../../io/output-folder.ts';
import { assertReplaceable } from '../../io/staging/replaceable.ts';
import {
  type FileDigest,
  type RecordFile,
  type StagedOutput,
  withStagedOutput,
} from '../../io/staging/staged-output.ts';
import { findStaging, removeStaging, STAGING_NAME } from '../../io/staging/staging-folder.ts';
import { besideEarlier } from '../artifacts/graph-folder.ts';
import { removeLeftBehind, replacedArtifacts } from '../artifacts/left-behind.ts';
import type { Target } from '../planning/planned-target.ts';
import { describeArtifact, describeSource } from '../record/describe.ts';
import { encodeManifest, MANIFEST_NAME, type Manifest, type ManifestFile } from '../record/manifest.ts';
import { readManifest } from '../record/manifest-reader.ts';
import {
  describesAny,
  filesOfNoOther,
  mergeManifest,
  withoutArtifacts,
  withoutFiles,
} from '../record/merge-manifest.ts';
import { jobKey } from '../resume/job-key.ts';
import { StagedTensors } from '../resume/staged-tensors.ts';
import { inputPaths } from '../sources/input-paths.ts';
import type { Fill } from './fill.ts';
import { readBack } from './read-back.ts';
import type { StoredTensor } from './stored-tensor.ts';

export interface WriteOptions {
  /** The source as opened; the caller closes it. */
  readonly model: Model;
  /** Path that `model` was opened from: a folder or a file. */
  readonly source?: string | undefined;
  /** Paths of further files that are read: no output may replace them. */
  readonly inputs?: readonly string[] | undefined;
  /** Planned for `model`. All are written, or none. */
  readonly targets: readonly Target[];
  /** Output folder; created where missing. */
  readonly output: string;
  /** Replace files, and a manifest that cannot be read. */
  readonly force?: boolean | undefined;
  /**
   * Keep what is done when the run is interrupted, and go on with what such a run of the same conversion has
   * left.
   */
  readonly resume?: boolean | undefined;
  readonly threads?: number | undefined;
  readonly progress?: Progress | undefined;
  /** Stops between two chunks; the output folder is then as it was, but for what `resume` keeps. */
  readonly signal?: AbortSignal | undefined;
}

export interface WrittenTargets {
  /** Files of all targets with their exact sizes, in the order of the plans. */
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
  /** What `plmpress.json` holds now. */
  readonly manifest: Manifest;
}

/**
 * Refuses an output folder whose files `writeTargets` may not replace.
 * @throws PressError as `writeTargets` does.
 */
export async function assertWritable(options: WriteOptions): Promise<void> {
  const { targets, output, force = false, resume = false } = options;
  if (!(await isFolder(path.resolve(output), output))) return;
  // The run itself reports a record that it replaces.
  await readPrevious(output, force, () => {});
  // An interrupted run may have got as far as the final names, and its files are taken back.
  if (resume && (await findStaging(output, '')) !== 'nothing') return;
  const inputs = await allInputs(options);
  for (const { name } of targets.flatMap(({ plan }) => plan.files)) {
    await assertReplaceable(path.join(output, name), { force, inputs });
  }
}

/** Paths of all that is read. */
export async function allInputs({ model, source, inputs = [] }: WriteOptions): Promise<string[]> {
  return [...(await inputPaths(model, source)), ...inputs];
}

interface Job extends WriteOptions {
  /** Of all targets. */
  readonly files: readonly PlannedFile[];
}

/**
 * Writes targets into the output folder, then the manifest: heads, what `fill` makes of the tensors, files
 * that are made of others.
 * @throws PressError as `fill` and the commit protocol of src/io do. Whatever is thrown, the output folder is
 * as it was, but for what `resume` keeps.
 */
export async function writeTargets(options: WriteOptions, fill: Fill): Promise<WrittenTargets> {
  const { model, targets, output, resume = false, progress, signal } = options;
  const note = (message: string) => progress?.({ kind: 'note', message });
  const key = jobKey(model, targets);
  const found = resume ? 'nothing' : await findStaging(output, key);
  if (found !== 'nothing') note(WAITING[found]);
  try {
    return await withStagedOutput(
      output,
      async (staged) => {
        if (staged.replacedOther) {
          note('the interrupted conversion in this folder was a different one and has been removed');
        }
        const written = await write(staged, options, fill);
        if (found === 'same') {
          await removeStaging(output);
          note(`${STAGING_NAME} has been removed: this run completed the interrupted conversion`);
        }
        return written;
      },
      { progress, ...(resume && { resume: key }) },
    );
  } catch (error) {
    if (resume && signal?.aborted && (await findStaging(output, key)) === 'same') {
      note(`finished tensors are kept in ${STAGING_NAME}: the same command continues with them`);
    }
    throw error;
  }
}

/** The note of a run without --resume on an interrupted one. */
const WAITING = {
  same: `${STAGING_NAME} holds this conversion, interrupted: --resume continues it`,
  other: `${STAGING_NAME} holds another interrupted conversion: its own command continues it; delete the folder if it is not needed`,
} as const;

async function write(output: StagedOutput, options: WriteOptions, fill: Fill): Promise<WrittenTargets> {
  const { model, force = false, progress } = options;
  const note = (message: string) => progress?.({ kind: 'note', message });
  const found = await readPrevious(output.folder, force, note);
  const recorded = found === 'malformed' ? undefined : found;
  const { previous, targets, kept, notes } = await besideEarlier(
    options.targets,
    model,
    output.folder,
    recorded,
  );
  const files = targets.flatMap(({ plan }) => plan.files);
  const job: Job = { ...options, targets, files };
  const staged = files.map((file) => ({ ...file, isRecord: file.make !== undefined }));
  const read = await allInputs(job);
  await output.stage(staged, { force, inputs: read });
  for (const message of notes) note(message);
  const stored = await writeTensors(output, job, fill);
  const digests = await seal(output, job);
  const names = new Map([...digests].map(([planned, { name }]) => [planned, name]));
  const written = files.map(({ name }) => fileOf(digests.get(name)!));
  const described = await describeSource(model, job.signal);
  const artifacts = targets.map((target) => describeArtifact(target, described, stored, names));
  const replaced = previous === undefined ? [] : replacedArtifacts(previous, artifacts, force);
  const manifest = mergeManifest(
    previous && withoutArtifacts(previous, replaced),
    artifacts,
    // Files of equal content may have one name.
    [...new Map(written.map((file) => [file.path, file])).values()],
  );
  job.signal?.throwIfAborted();
  const content = encodeManifest(manifest);
  await output.publish({ name: MANIFEST_NAME, content, meanwhile: meanwhile(found, previous, written) });
  if (recorded !== undefined) {
    const alone = filesOfNoOther(recorded, [...replaced, ...kept], manifest);
    for (const message of await removeLeftBehind(output.folder, alone, read)) note(message);
  }
  const other = kept.filter((graph) => !isDeepStrictEqual(graph.source.files, described.files));
  if (other.length > 0) {
    note(`this folder also has graphs of other weights: ${firstNames(other.map(({ target }) => target))}`);
  }
  return { files: written.map(({ path, bytes }) => ({ path, bytes })), manifest };
}

/** The record that stands in for `found` while `written` take the places of other files. */
function meanwhile(
  found: Manifest | undefined | 'malformed',
  previous: Manifest | undefined,
  written: readonly ManifestFile[],
): RecordFile['meanwhile'] {
  if (found === 'malformed') return 'nothing';
  if (found === undefined || previous === undefined || !describesAny(found, written)) return 'as it is';
  const rest = withoutFiles(previous, written);
  return rest.artifacts.length === 0 ? 'nothing' : encodeManifest(rest);
}

function fileOf({ name, bytes, sha256 }: FileDigest): ManifestFile {
  return { path: name, bytes, sha256 };
}

/** A manifest that is malformed, or of a newer plmpress. */
const UNREADABLE: readonly PressError['failure'][] = ['invalid-input', 'unsupported'];

/**
 * With `force`, a manifest that cannot be understood does not stop the run: it will be replaced, and a note
 * says so.
 */
async function readPrevious(
  folder: string,
  force: boolean,
  note: (message: string) => void,
): Promise<Manifest | undefined | 'malformed'> {
  try {
    return await readManifest(folder);
  } catch (error) {
    const isUnreadable = error instanceof PressError && UNREADABLE.includes(error.failure);
    if (!force || !isUnreadable) throw error;
    note(`the record cannot be read, so a new one will list only the files of this run: ${error.message}`);
    return 'malformed';
  }
}

async function writeTensors(
  output: StagedOutput,
  { files, progress, signal }: Job,
  fill: Fill,
): Promise<ReadonlyMap<PlannedTensor, StoredTensor>> {
  for (const { name, head } of files) {
    for (const part of head) await output.write(name, part.bytes, part.offset);
  }
  const sinks = files.flatMap(({ name, tensors }) => {
    const write = (rows: Uint8Array, offset: number) => output.write(name, rows, offset);
    return tensors.map((tensor) => ({ tensor, write }));
  });
  if (output.journal === undefined) return fill(sinks);
  const ledger = await StagedTensors.open(output, output.journal, files, {
    progress,
    signal,
  });
  return fill(sinks, ledger);
}

/** Seals all files, first those that others are made of. By their names in the plan. */
async function seal(output: StagedOutput, job: Job): Promise<ReadonlyMap<string, FileDigest>> {
  const whole = await readBack(
    output,
    job.files.filter(({ make }) => make === undefined),
    job,
  );
  const made = job.targets.flatMap(({ plan }) => plan.files.filter(({ make }) => make !== undefined));
  if (made.length === 0) return whole;
  const open: InputFile[] = [];
  try {
    const sealed = new Map<string, SealedFile>();
    for (const [planned, digest] of whole) {
      const file = await output.open(planned);
      open.push(file);
      sealed.set(planned, { ...digest, readInto: (into, offset) => file.readInto(into, offset) });
    }
    const { threads, progress, signal } = job;
    const making: Making = {
      files: sealed,
      threads,
      progress,
      signal,
    };
    for (const { name, make } of made) await output.write(name, await make!(making), 0);
  } finally {
    await Promise.all(open.map((file) => file.close()));
  }
  return new Map([...whole, ...(await readBack(output, made, job))]);
}
