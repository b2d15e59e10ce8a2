import { createHash } from 'node:crypto';
import { PressError } from '../../core/errors.ts';
import type { PlannedFile, PlannedTensor } from '../../core/export-plan.ts';
import type { Progress } from '../../core/jobs/progress.ts';
import { sha256 } from '../../core/json/hashes.ts';
import { parseJson } from '../../core/json/json.ts';
import { integer, object } from '../../core/json/schema.ts';
import { formatCount, formatCounted } from '../../core/text/format.ts';
import type { InputFile } from '../../io/input-file.ts';
import type { Journal } from '../../io/staging/journal.ts';
import type { StagedOutput } from '../../io/staging/staged-output.ts';
import type { Ledger, Written } from '../writing/ledger.ts';
import { storedMembers } from '../writing/stored-tensor.ts';
import { type Place, placesOf } from '../writing/tensor-sink.ts';

/** Stored bytes are read in pieces. */
const PIECE_BYTES = 4 << 20;

interface StagedTensor {
  readonly tensor: PlannedTensor;
  /** As it was staged. */
  readonly file: string;
}

/** A line of the journal. */
const entry = object({
  number: integer(0),
  madeOf: sha256,
  ...storedMembers,
  /** Of what its places hold. */
  content: sha256,
});

interface Entry extends Written {
  readonly content: string;
}

export interface OpenOptions {
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The tensors that lie in the staged files of an output, in its journal. A line may reach the disk before the
 * rows that it is about, so rows count only if they have its hash.
 */
export class StagedTensors implements Ledger {
  readonly #output: StagedOutput;
  readonly #journal: Journal;
  /** In the order of the plan, whose numbers the journal uses. */
  readonly #tensors: readonly StagedTensor[];
  readonly #numbers: ReadonlyMap<PlannedTensor, number>;
  readonly #known = new Map<PlannedTensor, Written>();

  private constructor(output: StagedOutput, journal: Journal, files: readonly PlannedFile[]) {
    this.#output = output;
    this.#journal = journal;
    this.#tensors = files.flatMap(({ name, tensors }) => tensors.map((tensor) => ({ tensor, file: name })));
    this.#numbers = new Map(this.#tensors.map(({ tensor }, number) => [tensor, number]));
  }

  /**
   * Reads the tensors that the journal lists, and zeroes bytes that belong to no tensor. Throws local-io
   * where that cannot be read or written.
   */
  static async open(
    output: StagedOutput,
    journal: Journal,
    files: readonly PlannedFile[],
    options: OpenOptions,
  ): Promise<StagedTensors> {
    const staged = new StagedTensors(output, journal, files);
    for (const file of files) {
      if (file.make !== undefined) continue;
      for (const { offset, bytes } of gapsOf(file))
        await output.write(file.name, new Uint8Array(bytes), offset);
    }
    await staged.#check(options);
    return staged;
  }

  find(tensor: PlannedTensor): Written | undefined {
    return this.#known.get(tensor);
  }

  async add(tensor: PlannedTensor, { stored, madeOf }: Written): Promise<void> {
    const number = this.#numbers.get(tensor)!;
    const content = tensor.packing === undefined ? stored.sha256 : await this.#hashOf(this.#tensors[number]!);
    await this.#journal.append(JSON.stringify({ number, madeOf, ...stored, content }));
  }

  async #check({ progress, signal }: OpenOptions): Promise<void> {
    const entries = entriesOf(this.#journal.found, this.#tensors.length);
    if (entries.size === 0) return;
    const bytesOf = ({ tensor }: StagedTensor) => placesOf(tensor).reduce((sum, { bytes }) => sum + bytes, 0);
    const total = [...entries.keys()].reduce((sum, number) => sum + bytesOf(this.#tensors[number]!), 0);
    progress?.({ kind: 'phase', name: 'check', total, unit: 'bytes' });
    let done = 0;
    for (const [number, { content, ...written }] of entries) {
      signal?.throwIfAborted();
      const staged = this.#tensors[number]!;
      if ((await this.#hashOf(staged)) === content) this.#known.set(staged.tensor, written);
      done += bytesOf(staged);
      progress?.({ kind: 'advance', done, item: staged.tensor.name });
    }
    const [kept, all] = [this.#known.size, this.#tensors.length];
    progress?.({
      kind: 'note',
      message: `resuming an interrupted run: ${formatCount(kept)} of ${formatCounted(all, 'tensor')} done`,
    });
  }

  async #hashOf({ tensor, file }: StagedTensor): Promise<string> {
    const open = await this.#output.open(file);
    try {
      return await hashPlaces(open, placesOf(tensor));
    } finally {
      await open.close();
    }
  }
}

/**
 * By number; of two lines of one tensor, the later. What another build of plmpress has written in another
 * form does not count.
 */
function entriesOf(lines: readonly string[], tensors: number): ReadonlyMap<number, Entry> {
  const entries = new Map<number, Entry>();
  for (const line of lines) {
    try {
      const { number, madeOf, content, ...stored } = entry(parseJson(line, 'journal'));
      if (number < tensors) entries.set(number, { stored, madeOf, content });
    } catch (error) {
      if (!(error instanceof PressError)) throw error;
    }
  }
  return entries;
}

async function hashPlaces(file: InputFile, places: readonly Place[]): Promise<string> {
  const hash = createHash('sha256');
  const buffer = new Uint8Array(Math.min(PIECE_BYTES, Math.max(...places.map(({ bytes }) => bytes))));
  for (const { offset, bytes } of places) {
    for (let at = 0; at < bytes; at += buffer.length) {
      const piece = buffer.subarray(0, bytes - at);
      await file.readInto(piece, offset + at);
      hash.update(piece);
    }
  }
  return hash.digest('hex');
}

/** The ranges of a file outside of its head and its tensors. */
function gapsOf({ bytes, head, tensors }: PlannedFile): Place[] {
  const taken = [
    ...head.map((part) => ({ offset: part.offset, bytes: part.bytes.length })),
    ...tensors.flatMap(placesOf),
  ].toSorted((a, b) => a.offset - b.offset);
  const gaps: Place[] = [];
  let at = 0;
  for (const place of [...taken, { offset: bytes, bytes: 0 }]) {
    if (place.offset > at) gaps.push({ offset: at, bytes: place.offset - at });
    at = Math.max(at, place.offset + place.bytes);
  }
  return gaps;
}
