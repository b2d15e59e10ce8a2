import { availableParallelism } from 'node:os';
import { PressError, usage } from '../core/errors.ts';
import type { Making, PlannedFile, PlannedTensor, SealedFile } from '../core/export-plan.ts';
import type { Model } from '../core/model.ts';
import type { Progress } from '../core/progress.ts';
import type { InputFile } from '../io/input-file.ts';
import { type FileDigest, type StagedOutput, withStagedOutput } from '../io/staged-output.ts';
import { openCompute } from '../kernels/compute.ts';
import { inputPaths } from './input-paths.ts';
import {
  describeArtifact,
  describeSource,
  describesAny,
  encodeManifest,
  MANIFEST_NAME,
  type Manifest,
  type ManifestFile,
  mergeManifest,
} from './manifest.ts';
import { readManifest } from './manifest-reader.ts';
import type { StorageError } from './storage-error.ts';
import type { Target } from './target.ts';
import { assertTranscodable, transcode } from './transcode.ts';
import { SLOTS, sideBytes, slotBytes } from './working-memory.ts';

export interface ConvertOptions {
  /** The source as opened; the caller closes it. */
  readonly model: Model;
  /** Path that `model` was opened from, a folder or a file; left out: it is not on this machine. */
  readonly source?: string;
  /** Paths of further files that `targets` were planned with: no output may replace them. */
  readonly inputs?: readonly string[];
  /** From `planTarget(model, …)`. All are written, or none. */
  readonly targets: readonly Target[];
  /** Output folder; created where missing. */
  readonly output: string;
  /** Replace files, and a manifest that cannot be read. */
  readonly force?: boolean;
  /** Threads that transcode; default: one a core. Bytes do not depend on it. */
  readonly threads?: number;
  /** Most bytes that the process may hold. Bytes written do not depend on it. */
  readonly maxMemory?: number;
  /** Stop before anything is created. */
  readonly dryRun?: boolean;
  readonly progress?: Progress;
  /** Stops between two chunks; the output folder is then as it was. */
  readonly signal?: AbortSignal;
}

export interface ConvertResult {
  /** Files of all targets with their exact sizes, in the order of the plans. */
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
  /** What `plmpress.json` holds now; undefined after a dry run. */
  readonly manifest: Manifest | undefined;
}

/**
 * Writes the targets into the output folder, then the manifest.
 * @throws PressError `usage` where two targets write one file; `unsupported` and `invalid-input` where weights
 * cannot be converted; `local-io` and `locked` as the commit protocol of src/io does, and where `maxMemory` is too
 * small. Whatever is thrown, the output folder is as it was.
 */
export async function convert(options: ConvertOptions): Promise<ConvertResult> {
  const { targets, maxMemory, threads = availableParallelism() } = options;
  const files = targets.flatMap((target) => target.plan.files);
  assertDistinct(targets);
  const tensors = files.flatMap((file) => file.tensors);
  for (const tensor of tensors) assertTranscodable(tensor);
  const making = Math.max(0, ...files.map(({ makingBytes = 0 }) => makingBytes));
  const memory = { maxMemory, resident: process.memoryUsage.rss(), threads, making };
  const job: Job = { ...options, threads, files, slotBytes: slotBytes(tensors, memory) };
  if (options.dryRun) {
    return { files: files.map(({ name, bytes }) => ({ path: name, bytes })), manifest: undefined };
  }
  return withStagedOutput(options.output, (output) => writeTargets(output, job));
}

interface Job extends ConvertOptions {
  readonly threads: number;
  /** Of all targets. */
  readonly files: readonly PlannedFile[];
  readonly slotBytes: number;
}

async function writeTargets(output: StagedOutput, job: Job): Promise<ConvertResult> {
  const { model, source, targets, files, force = false, inputs = [] } = job;
  const previous = await readPrevious(output.folder, force);
  const staged = files.map((file) => ({ ...file, isRecord: file.make !== undefined }));
  await output.stage(staged, { force, inputs: [...(await inputPaths(model, source)), ...inputs] });
  const errors = await writeFiles(output, job);
  const digests = await seal(output, job);
  const names = new Map([...digests].map(([planned, { name }]) => [planned, name]));
  const written = files.map(({ name }) => fileOf(digests.get(name)!));
  const described = await describeSource(model);
  const manifest = mergeManifest(
    previous === 'malformed' ? undefined : previous,
    targets.map((target) => describeArtifact(target, described, errors, names)),
    // Files of equal content may have one name.
    [...new Map(written.map((file) => [file.path, file])).values()],
  );
  job.signal?.throwIfAborted();
  await output.publish({
    name: MANIFEST_NAME,
    content: encodeManifest(manifest),
    replacesStale:
      previous === 'malformed' ||
      describesAny(
        previous,
        written.map(({ path }) => path),
      ),
  });
  return { files: written.map(({ path, bytes }) => ({ path, bytes })), manifest };
}

function fileOf({ name, bytes, sha256 }: FileDigest): ManifestFile {
  return { path: name, bytes, sha256 };
}

/** With `force`, a manifest that cannot be understood does not stop the run: it will be replaced. */
async function readPrevious(folder: string, force: boolean): Promise<Manifest | undefined | 'malformed'> {
  try {
    return await readManifest(folder);
  } catch (error) {
    if (force && error instanceof PressError && error.failure === 'invalid-input') return 'malformed';
    throw error;
  }
}

async function writeFiles(output: StagedOutput, job: Job): Promise<ReadonlyMap<PlannedTensor, StorageError>> {
  const { model, files, threads, slotBytes: bytes, progress, signal } = job;
  for (const { name, head } of files) {
    for (const part of head) await output.write(name, part.bytes, part.offset);
  }
  const transfers = files.flatMap(({ name, tensors }) => {
    const write = (rows: Uint8Array, offset: number) => output.write(name, rows, offset);
    return tensors.map((tensor) => ({ tensor, write }));
  });
  const side = sideBytes(transfers.map(({ tensor }) => tensor));
  const compute = await openCompute({ threads, bytes: SLOTS * bytes + side });
  try {
    return await transcode(transfers, {
      ...{ compute, slotBytes: bytes, files: model.files },
      ...(progress && { progress }),
      ...(signal && { signal }),
    });
  } finally {
    await compute.close();
  }
}

/** Seals all files, first those that others are made of. By their names in the plan. */
async function seal(output: StagedOutput, job: Job): Promise<ReadonlyMap<string, FileDigest>> {
  const whole = await readBack(
    output,
    job,
    job.files.filter(({ make }) => make === undefined),
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
      ...(progress && { progress }),
      ...(signal && { signal }),
    };
    for (const { name, make } of made) await output.write(name, await make!(making), 0);
  } finally {
    await Promise.all(open.map((file) => file.close()));
  }
  return new Map([...whole, ...(await readBack(output, job, made))]);
}

async function readBack(
  output: StagedOutput,
  { progress, signal }: Job,
  files: readonly PlannedFile[],
): Promise<Map<string, FileDigest>> {
  const total = files.reduce((sum, file) => sum + file.bytes, 0);
  let done = 0;
  progress?.({ kind: 'phase', name: 'read back', total, unit: 'bytes' });
  const onRead = (bytes: number) => {
    done += bytes;
    progress?.({ kind: 'advance', done });
  };
  const names = files.map(({ name }) => name);
  const digests = await output.seal({ names, onRead, ...(signal && { signal }) });
  return new Map(digests.map((digest, index) => [names[index]!, digest]));
}

function assertDistinct(targets: readonly Target[]): void {
  const writers = new Map<string, string>();
  for (const { plan } of targets) {
    for (const { name } of plan.files) {
      const other = writers.get(name);
      if (other !== undefined) throw usage(`${other} and ${plan.target} both write ${name}`);
      writers.set(name, plan.target);
    }
  }
}
