import { PressError } from '../../core/errors.ts';
import { assertFormatVersion } from '../../core/format-version.ts';
import { parseJson } from '../../core/json/json.ts';
import type { JsonField } from '../../core/json/json-field.ts';
import {
  parseDigest,
  parseRecordedTarget,
  parseSource,
  parseStorageError,
} from '../record/manifest-reader.ts';
import type { PartJob } from './job.ts';
import { PART_SCHEMA, PART_VERSION, type PartRecord, type PartTensor, recordDigest } from './record.ts';
import { MAX_PARTS } from './share.ts';

/**
 * Reads the record of a part, calling it `file`. Its tensors are those that it claims to have.
 * @throws PressError invalid-input where it is malformed, unsupported where a newer plmpress made it,
 * verification where it is damaged.
 */
export function parsePart(text: string, file: string): PartRecord {
  const root = parseJson(text, file);
  if (root.at('schema').value !== PART_SCHEMA) throw root.at('schema').unexpected(PART_SCHEMA);
  assertFormatVersion(root.at('schemaVersion'), PART_VERSION);
  const of = root.at('part').at('of').integer(1, MAX_PARTS);
  const record: PartRecord = {
    schema: PART_SCHEMA,
    schemaVersion: PART_VERSION,
    part: { number: root.at('part').at('number').integer(1, of), of },
    job: parseJob(root.at('job')),
    tensors: root.at('tensors').items().map(parseTensor),
  };
  const sha256 = parseDigest(root.at('sha256'));
  if (sha256 !== recordDigest(record)) {
    throw new PressError('verification', { file, what: 'is damaged: its SHA-256 differs' });
  }
  return record;
}

function parseJob(field: JsonField): PartJob {
  return {
    version: field.at('version').string(),
    source: parseSource(field.at('source')),
    targets: field.at('targets').items().map(parseRecordedTarget),
    plan: parseDigest(field.at('plan')),
  };
}

function parseTensor(field: JsonField): PartTensor {
  return {
    file: field.at('file').string(),
    name: field.at('name').string(),
    sha256: parseDigest(field.at('sha256')),
    error: parseStorageError(field.at('error')),
  };
}
