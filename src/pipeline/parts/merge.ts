import { createHash } from 'node:crypto';
import { PressError } from '../../core/errors.ts';
import { type PlannedTensor, plannedRows } from '../../core/export-plan.ts';
import type { Progress } from '../../core/jobs/progress.ts';
import type { InputFile } from '../../io/input-file.ts';
import { withCompanions } from '../artifacts/graph-folder.ts';
import type { Target } from '../planning/planned-target.ts';
import { type RecordedInputs, type RecordedPaths, withRecordedSource } from '../record/recorded-source.ts';
import {
  assertFilesRecorded,
  planningFiles,
  recordedCalibrationTokens,
  replayTarget,
} from '../record/replay.ts';
import { VERSION } from '../version.ts';
import type { Fill } from '../writing/fill.ts';
import type { StoredTensor } from '../writing/stored-tensor.ts';
import { encodedRowBytes, type TensorSink, writeRows } from '../writing/tensor-sink.ts';
import { type WrittenTargets, writeTargets } from '../writing/write-targets.ts';
import { type FoundPart, findParts } from './found-parts.ts';
import { type PartJob, planDigest } from './job.ts';
import { payloadBytes, type SharedTensor, tensorsOf } from './share.ts';

export interface MergeOptions extends RecordedPaths {
  /** Folders that the parts lie in. */
  readonly parts: readonly string[];
  /** Output folder; created where missing. */
  readonly output: string;
  readonly force?: boolean;
  readonly threads?: number | undefined;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Rows are copied in pieces. */
const PIECE_BYTES = 4 << 20;

/**
 * Puts the parts of a conversion together: writes what `convert` would have written. The conversion is
 * planned again; weights of the source are not read, unless a pass measures them.
 * @throws PressError as `findParts`, `withRecordedSource`, `replayTarget` and the commit protocol of src/io
 * do; verification for parts of another version, of another plan or with other rows than their records say.
 */
export async function merge(options: MergeOptions): Promise<WrittenTargets> {
  const { output, force = false, threads, progress, signal } = options;
  const parts = await findParts(options.parts);
  const { job } = parts[0]!.record;
  if (job.version !== VERSION) throw mismatch(parts[0]!, 'is of another version', job.version, VERSION);
  assertFilesRecorded(job.targets, options);
  const reading = {
    weights: 'recorded',
    calibrationTokens: recordedCalibrationTokens(job.targets),
    threads,
  } as const;
  return withRecordedSource(job.source, options, reading, async (inputs) => {
    const targets = await planAgain(job, inputs, signal);
    if (planDigest(targets) !== job.plan)
      throw mismatch(
        parts[0]!,
        'is of another plan: of another build of plmpress, or with an adapter of another name',
      );
    const read = { progress, signal };
    return writeTargets(
      {
        model: inputs.model,
        targets,
        output,
        force,
        threads,
        ...read,
        ...(inputs.source !== undefined && { source: inputs.source }),
        inputs: parts.flatMap(({ name, rows }) => [name, rows]),
      },
      copier(parts, targets, read),
    );
  });
}

async function planAgain(
  job: PartJob,
  inputs: RecordedInputs,
  signal: AbortSignal | undefined,
): Promise<Target[]> {
  const targets: Target[] = [];
  const files = planningFiles(inputs);
  for (const target of job.targets) targets.push(await replayTarget(inputs.model, target, files, signal));
  return withCompanions(targets);
}

function mismatch(
  { name }: FoundPart,
  what: string,
  ...values: [] | [got: string, expected: string]
): PressError {
  const [got, expected] = values;
  return new PressError('verification', {
    file: name,
    what,
    ...(expected !== undefined && { got, expected }),
  });
}

interface CopyOptions {
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Takes rows from parts instead of sources. */
function copier(parts: readonly FoundPart[], targets: readonly Target[], options: CopyOptions): Fill {
  return async (sinks) => {
    const byTensor = new Map(sinks.map((sink) => [sink.tensor, sink]));
    const shares = parts.map((part) => ({ part, tensors: tensorsOf(targets, part.record.part) }));
    const total = shares.reduce((sum, { tensors }) => sum + payloadBytes(tensors), 0);
    options.progress?.({ kind: 'phase', name: 'merge', total, unit: 'bytes' });
    const stored = new Map<PlannedTensor, StoredTensor>();
    let done = 0;
    for (const { part, tensors } of shares) {
      assertTensors(part, tensors);
      const rows = await part.openRows();
      try {
        if (rows.bytes !== payloadBytes(tensors)) throw otherSize(rows, payloadBytes(tensors));
        for (const [index, shared] of tensors.entries()) {
          const { sha256, error } = part.record.tensors[index]!;
          const found = await copy(rows, shared, byTensor.get(shared.tensor)!, options.signal);
          if (found !== sha256) throw otherRows(rows, shared.tensor);
          stored.set(shared.tensor, { sha256, error });
          done += shared.bytes;
          options.progress?.({ kind: 'advance', done, item: shared.tensor.name });
        }
      } finally {
        await rows.close();
      }
    }
    return stored;
  };
}

/** Copies the rows of a tensor to their places, and returns their SHA-256 in hex. */
async function copy(
  rows: InputFile,
  { tensor, bytes, offset }: SharedTensor,
  sink: TensorSink,
  signal: AbortSignal | undefined,
): Promise<string> {
  const hash = createHash('sha256');
  const rowBytes = encodedRowBytes(tensor);
  const piece = new Uint8Array(Math.min(bytes, Math.max(1, Math.floor(PIECE_BYTES / rowBytes)) * rowBytes));
  for (let at = 0; at < bytes; at += piece.length) {
    signal?.throwIfAborted();
    const read = piece.subarray(0, bytes - at);
    await rows.readInto(read, offset + at);
    hash.update(read);
    await writeRows(sink, plannedRows(tensor).first + at / rowBytes, read);
  }
  return hash.digest('hex');
}

function assertTensors(part: FoundPart, tensors: readonly SharedTensor[]): void {
  const { record } = part;
  const index = tensors.findIndex(({ file, tensor: { name } }, index) => {
    const known = record.tensors[index];
    return known?.file !== file || known.name !== name;
  });
  if (index >= 0)
    throw mismatch(
      part,
      'is missing a tensor',
      record.tensors[index]?.name ?? 'none',
      tensors[index]!.tensor.name,
    );
  const more = record.tensors[tensors.length];
  if (more !== undefined) throw mismatch(part, `has a tensor of another part: ${more.name}`);
}

function otherSize({ name, bytes }: InputFile, expected: number): PressError {
  return new PressError('verification', {
    file: name,
    what: 'has another size than its record says',
    got: bytes,
    expected: `${expected} bytes`,
  });
}

function otherRows({ name }: InputFile, tensor: PlannedTensor): PressError {
  return new PressError('verification', {
    file: name,
    field: `tensor "${tensor.name}"`,
    what: 'has other rows than its record says',
  });
}
