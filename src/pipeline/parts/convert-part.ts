import { lstat } from 'node:fs/promises';
import path from 'node:path';
import { PressError } from '../../core/errors.ts';
import type { PlannedTensor } from '../../core/export-plan.ts';
import { assertReplaceable } from '../../io/staging/replaceable.ts';
import { type StagedOutput, withStagedOutput } from '../../io/staging/staged-output.ts';
import { assertDistinct, type ConvertOptions } from '../convert.ts';
import { type Fill, transcodingFill } from '../writing/fill.ts';
import { readBack } from '../writing/read-back.ts';
import { allInputs } from '../writing/write-targets.ts';
import { describeJob } from './job.ts';
import {
  encodePart,
  PART_SCHEMA,
  PART_VERSION,
  type PartRecord,
  partStem,
  RECORD_END,
  ROWS_END,
} from './record.ts';
import { payloadBytes, type Share, type SharedTensor, tensorsOf } from './share.ts';

export interface ConvertPartOptions extends ConvertOptions {
  readonly share: Share;
}

export interface ConvertPartResult {
  /** The file of encoded rows. */
  readonly rows: { readonly path: string; readonly bytes: number };
  readonly tensors: number;
  /** Undefined after a dry run. */
  readonly record: PartRecord | undefined;
}

/**
 * Does a share of a conversion: writes the encoded rows of its tensors and a record of them, for `merge`. All
 * of the source is read, for its hashes.
 * @throws PressError as `convert` does.
 */
export async function convertPart(options: ConvertPartOptions): Promise<ConvertPartResult> {
  const { model, targets, share, maxMemory, threads, progress, signal } = options;
  assertDistinct(targets);
  const tensors = tensorsOf(targets, share);
  const rows = { name: partStem(model.name, share) + ROWS_END, bytes: payloadBytes(tensors) };
  const result = { rows: { path: rows.name, bytes: rows.bytes }, tensors: tensors.length };
  const fill = transcodingFill(tensors.map(asRows), {
    files: model.files,
    threads,
    maxMemory,
    progress,
    signal,
  });
  if (options.dryRun) return { ...result, record: undefined };
  const record = await withStagedOutput(
    options.output,
    (output) => write(output, { ...options, tensors, rows, fill }),
    { progress },
  );
  return { ...result, record };
}

/**
 * Refuses an output folder whose files `convertPart` may not replace, for those who have long work to do
 * before it.
 * @throws PressError `local-io`
 */
export async function assertPartWritable(options: ConvertPartOptions): Promise<void> {
  const { model, share, output, force = false } = options;
  const stem = partStem(model.name, share);
  if (!force) await assertAbsent(output, stem + RECORD_END);
  await assertReplaceable(path.join(output, stem + ROWS_END), { force, inputs: await allInputs(options) });
}

/** A tensor as the rows of a part hold it. */
function asRows({ tensor: { packing: _, ...tensor }, offset }: SharedTensor): PlannedTensor {
  return { ...tensor, offset };
}

interface Job extends ConvertPartOptions {
  readonly tensors: readonly SharedTensor[];
  readonly rows: { readonly name: string; readonly bytes: number };
  readonly fill: Fill;
}

async function write(output: StagedOutput, job: Job): Promise<PartRecord> {
  const { model, targets, force = false, share, tensors, rows, fill, signal } = job;
  const name = partStem(model.name, share) + RECORD_END;
  if (!force) await assertAbsent(output.folder, name);
  await output.stage([rows], { force, inputs: await allInputs(job) });
  const planned = tensors.map(asRows);
  const write = (bytes: Uint8Array, offset: number) => output.write(rows.name, bytes, offset);
  const stored = await fill(planned.map((tensor) => ({ tensor, write })));
  await readBack(output, [rows], job);
  const record: PartRecord = {
    schema: PART_SCHEMA,
    schemaVersion: PART_VERSION,
    part: { number: share.number, of: share.of },
    job: await describeJob(model, targets, signal),
    tensors: tensors.map(({ file, tensor: { name } }, index) => ({
      file,
      name,
      ...stored.get(planned[index]!)!,
    })),
  };
  signal?.throwIfAborted();
  await output.publish({ name, content: encodePart(record), meanwhile: 'nothing' });
  return record;
}

async function assertAbsent(folder: string, file: string): Promise<void> {
  const isThere = await lstat(path.join(folder, file)).then(
    () => true,
    () => false,
  );
  if (isThere)
    throw new PressError('local-io', { file, what: `exists already in ${folder}; --force replaces it` });
}
