import { createHash } from 'node:crypto';
import { PressError } from '../../core/errors.ts';
import { formatVersion } from '../../core/json/format-version.ts';
import { sha256 } from '../../core/json/hashes.ts';
import { parseJson } from '../../core/json/json.ts';
import { array, choice, object, type Read, string } from '../../core/json/schema.ts';
import { fileStem } from '../../core/text/file-stem.ts';
import { storedMembers } from '../writing/stored-tensor.ts';
import { partJob } from './job.ts';
import { readShare, type Share } from './share.ts';

export const PART_SCHEMA = 'plmpress-part';
export const PART_VERSION = 1;

/** A tensor whose encoded rows a part has. */
const partTensor = object({
  /** In the plan. */
  file: string,
  name: string,
  ...storedMembers,
});

/**
 * A part of a conversion. Beside its record lies a file of the encoded rows of its tensors, each tensor
 * behind the one before.
 */
const partRecord = object({
  schema: choice([PART_SCHEMA]),
  schemaVersion: formatVersion(PART_VERSION),
  part: readShare,
  job: partJob,
  tensors: array(partTensor),
});

export type PartRecord = Read<typeof partRecord>;

/** Ends the name of a record; that of its rows has `ROWS_END` instead. */
export const RECORD_END = '.json';
export const ROWS_END = '.bin';

/** Name of the files of a part without their ends. */
export function partStem(model: string, { number, of }: Share): string {
  return `${fileStem(model)}-part-${number}-of-${of}`;
}

/**
 * Reads the record of a part, calling it `file`. Its tensors are those that it claims to have.
 * @throws PressError invalid-input where it is malformed, unsupported where a newer plmpress made it,
 * verification where it is damaged.
 */
export function parsePart(text: string, file: string): PartRecord {
  const root = parseJson(text, file);
  const record = partRecord(root);
  if (sha256(root.at('sha256')) !== recordDigest(record)) {
    throw new PressError('verification', { file, what: 'is damaged: its SHA-256 differs' });
  }
  return record;
}

/** Keys stand in the order in which they are declared; the digest is that of all else, in one line. */
export function encodePart(record: PartRecord): Uint8Array {
  return Buffer.from(`${JSON.stringify({ ...record, sha256: recordDigest(record) }, null, 2)}\n`);
}

export function recordDigest({ schema, schemaVersion, part, job, tensors }: PartRecord): string {
  const text = JSON.stringify({ schema, schemaVersion, part, job, tensors });
  return createHash('sha256').update(text).digest('hex');
}
