import path from 'node:path';
import { invalidInput, PressError } from '../../core/errors.ts';
import type { InputFile } from '../../io/input-file.ts';
import { SourceFolder } from '../../io/source-folder.ts';
import type { PartJob } from './job.ts';
import { type PartRecord, parsePart, partStem, RECORD_END, ROWS_END } from './record.ts';

/** PLM-1.8B has 290 tensors in a target, of some hundred bytes each. */
const MAX_RECORD_BYTES = 64_000_000;
const RECORD_NAME = /-part-\d+-of-\d+\.json$/;

/** A record in a folder. */
export interface FoundPart {
  readonly record: PartRecord;
  /** Its name in messages: the folder as it was given, and its name there. */
  readonly name: string;
  /** Path of the file of its rows. */
  readonly rows: string;
  openRows(): Promise<InputFile>;
}

/**
 * The parts that folders hold: all parts of one job, by their numbers.
 * @throws PressError invalid-input where one is missing, there twice or malformed, or a folder has none;
 * verification where one is damaged or of another job.
 */
export async function findParts(folders: readonly string[]): Promise<FoundPart[]> {
  const found: FoundPart[] = [];
  for (const folder of folders) found.push(...(await partsIn(folder)));
  const parts = found.toSorted((a, b) => a.record.part.number - b.record.part.number);
  assertOneJob(parts);
  assertComplete(parts);
  return parts;
}

async function partsIn(spec: string): Promise<FoundPart[]> {
  const folder = await SourceFolder.open(spec);
  const names = [...folder.entries].filter((name) => RECORD_NAME.test(name)).sort();
  if (names.length === 0) throw invalidInput({ file: spec, what: 'contains no part of a conversion' });
  const parts: FoundPart[] = [];
  for (const name of names) {
    const label = path.join(spec, name);
    const rows = name.slice(0, -RECORD_END.length) + ROWS_END;
    const { text } = await folder.readText(name, MAX_RECORD_BYTES, label);
    parts.push({
      record: parsePart(text, label),
      name: label,
      rows: path.join(spec, rows),
      openRows: () => folder.open(rows, path.join(spec, rows)),
    });
  }
  return parts;
}

/** Most parts are right: the one that is not like them is the one to name. */
function assertOneJob(parts: readonly FoundPart[]): void {
  const key = ({ record: { job, part } }: FoundPart) => JSON.stringify([part.of, job]);
  const counts = new Map<string, number>();
  for (const part of parts) counts.set(key(part), (counts.get(key(part)) ?? 0) + 1);
  const usual = parts.reduce((most, part) => (counts.get(key(part))! > counts.get(key(most))! ? part : most));
  const other = parts.find((part) => key(part) !== key(usual));
  if (other === undefined) return;
  const what = `is of another conversion than ${usual.name}: ${difference(other.record, usual.record)}`;
  throw new PressError('verification', { file: other.name, what });
}

function difference(a: PartRecord, b: PartRecord): string {
  if (a.part.of !== b.part.of) return `one of ${a.part.of} parts, not of ${b.part.of}`;
  return jobDifference(a.job, b.job);
}

function jobDifference(a: PartJob, b: PartJob): string {
  if (a.version !== b.version) return `plmpress ${a.version}, not ${b.version}`;
  const [ours, theirs] = [a.source.files, b.source.files].map((files) =>
    files.map((file) => JSON.stringify(file)),
  );
  const file = ours!.findIndex((entry, index) => entry !== theirs![index]);
  if (file >= 0) return `${a.source.files[file]!.name} of the source differs`;
  if (JSON.stringify(a.source) !== JSON.stringify(b.source)) return 'another source';
  if (JSON.stringify(a.targets) !== JSON.stringify(b.targets)) return 'other targets or options';
  return 'another plan';
}

function assertComplete(parts: readonly FoundPart[]): void {
  const { part, job } = parts[0]!.record;
  for (let number = 1; number <= part.of; number++) {
    const [first, second] = parts.filter(({ record }) => record.part.number === number);
    if (second !== undefined)
      throw invalidInput({ file: second.name, what: `is the same part as ${first!.name}` });
    if (first === undefined) {
      const file = partStem(job.source.name, { number, of: part.of }) + RECORD_END;
      throw invalidInput({ file, what: `missing: part ${number} of ${part.of}` });
    }
  }
}
