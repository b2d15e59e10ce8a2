import { createHash } from 'node:crypto';
import { fileStem } from '../../core/text/file-stem.ts';
import type { StoredTensor } from '../writing/stored-tensor.ts';
import type { PartJob } from './job.ts';
import type { Share } from './share.ts';

export const PART_SCHEMA = 'plmpress-part';
export const PART_VERSION = 1;

/** A tensor whose encoded rows a part has. */
export interface PartTensor extends StoredTensor {
  /** In the plan. */
  readonly file: string;
  readonly name: string;
}

/**
 * A part of a conversion. Beside its record lies a file of the encoded rows of its tensors, each tensor
 * behind the one before.
 */
export interface PartRecord {
  readonly schema: typeof PART_SCHEMA;
  readonly schemaVersion: typeof PART_VERSION;
  readonly part: Share;
  readonly job: PartJob;
  readonly tensors: readonly PartTensor[];
}

/** Ends the name of a record; that of its rows has `ROWS_END` instead. */
export const RECORD_END = '.json';
export const ROWS_END = '.bin';

/** Name of the files of a part without their ends. */
export function partStem(model: string, { number, of }: Share): string {
  return `${fileStem(model)}-part-${number}-of-${of}`;
}

/** Keys stand in the order in which this room builds objects; the digest is that of all else, in one line. */
export function encodePart(record: PartRecord): Uint8Array {
  return Buffer.from(`${JSON.stringify({ ...record, sha256: recordDigest(record) }, null, 2)}\n`);
}

export function recordDigest({ schema, schemaVersion, part, job, tensors }: PartRecord): string {
  const text = JSON.stringify({ schema, schemaVersion, part, job, tensors });
  return createHash('sha256').update(text).digest('hex');
}
