import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { invalidInput, type PressError, unsupported } from '../../core/errors.ts';
import { type Feedback, type PlannedTensor, plannedRows } from '../../core/export-plan.ts';
import type { Progress } from '../../core/jobs/progress.ts';
import { Turns } from '../../core/jobs/turns.ts';
import { SCHEMES, type SchemeName, schemeBytes } from '../../core/scheme.ts';
import { triangleSize } from '../../core/statistics.ts';
import { columnCount, type RowRange, rowBytes, rowRanges } from '../../core/tensor.ts';
import type { Compute, Pointer } from '../../kernels/compute.ts';
import type { Job, KernelName } from '../../kernels/jobs.ts';
import { feedbackTriangle } from '../../passes/rounding/feedback.ts';
import { decoderOf } from '../../schemes/index.ts';
import { usableImportances } from '../../schemes/usable-importances.ts';
import { feedbackFactors } from '../algebra/feedback-factors.ts';
import { type StoredTensor, StoredTensorSum } from './stored-tensor.ts';
import { encodedRowBytes, inReadingOrder, type TensorSink, writeRows } from './tensor-sink.ts';
import {
  conditionalBytes,
  feedbackBytes,
  importanceBytes,
  pivotBytes,
  ROW_STATISTICS_BYTES,
  rowsPerChunk,
  SLOT_ALIGNMENT,
  SLOTS,
  triangleBytes,
} from './working-memory.ts';

export interface TranscodeOptions {
  /** Must have `SLOTS * slotBytes` and the `sideBytes` of the tensors left to allocate. */
  readonly compute: Compute;
  /** A multiple of `SLOT_ALIGNMENT`, from the function `slotBytes`. */
  readonly slotBytes: number;
  /** `Model.files`, by which messages name a tensor's file. */
  readonly files: readonly { readonly name: string }[];
  /** The name of the phase in progress. Default: convert. */
  readonly phase?: string;
  /** Knows the tensors that an earlier run wrote, and records those of this run. */
  readonly ledger?: Ledger;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a ledger keeps of a tensor. */
export interface Written {
  readonly stored: StoredTensor;
  /** SHA-256 of the rows that it was made of, as kernels took them; in hex. */
  readonly madeOf: string;
}

/** Remembers from one run to the next which tensors are in their places. */
export interface Ledger {
  /** Of a tensor that lies in its places unharmed; undefined where it has to be written. */
  find(tensor: PlannedTensor): Written | undefined;
  /** Takes a tensor of which every byte has been written. */
  add(tensor: PlannedTensor, written: Written): Promise<void>;
}

/** Throws `unsupported` where the planned scheme of a tensor can only be read. */
export function assertTranscodable({ source, name, scheme }: PlannedTensor): void {
  const refuse = (what: string, got: SchemeName) => unsupported({ field: `tensor "${name}"`, what, got });
  if (scheme !== source.scheme && !SCHEMES[scheme].canEncode)
    throw refuse('scheme cannot be written', scheme);
}

/**
 * Moves tensors into their schemes and places, in the order of their statistics and then of the source
 * files. While a chunk is transcoded, the next is being read and the one before written. A tensor that the
 * ledger knows is only read, and is made after all if it was made of other rows than these. Returns what each
 * tensor has become.
 * @throws PressError `invalid-input` at the first weight that is not finite, before or after.
 */
export async function transcode(
  sinks: readonly TensorSink[],
  options: TranscodeOptions,
): Promise<ReadonlyMap<PlannedTensor, StoredTensor>> {
  const { compute, slotBytes, phase = 'convert', ledger, progress, signal } = options;
  const chunks: Chunk[] = [];
  for (const sink of inReadingOrder(sinks)) {
    chunks.push(...chunksOf(sink, slotBytes, ledger?.find(sink.tensor)));
  }
  const slots = Array.from({ length: SLOTS }, () => new Slot(compute, compute.alloc(slotBytes)));
  const turns = new Turns(signal);
  const side = new SideArea(compute, sinks, turns, signal);
  const slotOf = (index: number) => slots[index % SLOTS]!;
  const stored = new Map<PlannedTensor, StoredTensor>();
  const news = new Outbox(ledger);
  const uneven = sinks.some(({ tensor }) => tensor.feedback !== undefined);
  const begin = (total: number) =>
    progress?.({ kind: 'phase', name: phase, total, unit: 'bytes', ...(uneven && { uneven }) });
  begin(bytesToWrite(chunks));
  let done = 0;
  let sum = new StoredTensorSum();
  let madeOf = createHash('sha256');
  try {
    if (chunks.length > 0) slotOf(0).read(chunks[0]!, signal);
    for (let index = 0; index < chunks.length; index++) {
      const chunk = chunks[index]!;
      const { tensor, known, isLast } = chunk;
      const slot = slotOf(index);
      await slot.idle();
      signal?.throwIfAborted();
      await news.send(index - SLOTS);
      if (known !== undefined) {
        madeOf.update(slot.source(chunk));
        if (isLast && madeOf.digest('hex') === known.madeOf) stored.set(tensor, known.stored);
        else if (isLast) {
          chunks.push(...chunksOf(chunk, slotBytes, undefined));
          begin(bytesToWrite(chunks.slice(index)));
          done = 0;
        }
        if (isLast) madeOf = createHash('sha256');
      }
      const next = chunks[index + 1];
      if (next !== undefined) {
        await slotOf(index + 1).idle();
        slotOf(index + 1).read(next, signal);
      }
      if (known !== undefined) continue;
      if (tensor.feedback !== undefined && chunks[index - 1]?.tensor !== tensor) {
        // Measuring takes long: what is done by now must be known to a run that resumes.
        await Promise.all(slots.filter((_, i) => i !== (index + 1) % SLOTS).map((other) => other.idle()));
        await news.send(index - 1);
      }
      const extras = await side.of(tensor);
      if (tensor.feedback !== undefined) progress?.({ kind: 'stage', stage: `rounds ${tensor.name}` });
      await slot.transcode(chunk, extras, turns);
      const badRow = sum.addStatistics(slot.statistics(chunk));
      if (badRow !== undefined) throw notFinite(chunk, badRow, slot, options.files);
      slot.write(chunk);
      // While it is being written.
      sum.addRows(slot.target(chunk));
      if (ledger !== undefined) madeOf.update(slot.source(chunk));
      if (isLast) {
        const finished = sum.finish();
        stored.set(tensor, finished);
        news.put(index, tensor, { stored: finished, madeOf: madeOf.digest('hex') });
        sum = new StoredTensorSum();
        madeOf = createHash('sha256');
      }
      done += chunk.targetBytes;
      progress?.({ kind: 'advance', done, item: tensor.name });
    }
    for (const slot of slots) await slot.idle();
    await news.send(chunks.length);
  } finally {
    // Reads and writes under way must end before their memory and files go.
    await Promise.allSettled(slots.map((slot) => slot.idle()));
  }
  return new Map(sinks.map(({ tensor }) => [tensor, stored.get(tensor) ?? new StoredTensorSum().finish()]));
}

/** News for a ledger, until the chunks that they are about have been written. */
class Outbox {
  readonly #ledger: Ledger | undefined;
  readonly #waiting: { readonly chunk: number; readonly send: () => Promise<void> }[] = [];

  constructor(ledger: Ledger | undefined) {
    this.#ledger = ledger;
  }

  /** Of a tensor whose last chunk has number `chunk`. */
  put(chunk: number, tensor: PlannedTensor, written: Written): void {
    const ledger = this.#ledger;
    if (ledger !== undefined) this.#waiting.push({ chunk, send: () => ledger.add(tensor, written) });
  }

  /** Sends what is about chunks up to number `chunk`. */
  async send(chunk: number): Promise<void> {
    while (this.#waiting.length > 0 && this.#waiting[0]!.chunk <= chunk) await this.#waiting.shift()!.send();
  }
}

/** Rows of a tensor that move together. */
interface Chunk extends TensorSink {
  readonly range: RowRange;
  readonly sourceBytes: number;
  readonly targetBytes: number;
  readonly isLast: boolean;
  /** What the ledger says of the tensor. */
  readonly known: Written | undefined;
}

function* chunksOf(
  { tensor, write }: TensorSink,
  slotBytes: number,
  known: Written | undefined,
): Generator<Chunk> {
  const { source } = tensor;
  const rows = plannedRows(tensor);
  const sourceRow = rowBytes(source);
  const targetRow = encodedRowBytes(tensor);
  for (const range of rowRanges(source, rowsPerChunk(tensor, slotBytes) * sourceRow, rows)) {
    yield {
      tensor,
      write,
      range,
      known,
      sourceBytes: range.count * sourceRow,
      targetBytes: range.count * targetRow,
      isLast: range.first + range.count === rows.first + rows.count,
    };
  }
}

function bytesToWrite(chunks: readonly Chunk[]): number {
  return chunks.reduce((sum, { known, targetBytes }) => sum + (known === undefined ? targetBytes : 0), 0);
}

/** Offsets of the extra inputs of a tensor; 0 for those that it does not have. */
interface Side {
  readonly importance: Pointer;
  readonly factor: Pointer;
  readonly pivots: Pointer;
  readonly conditional: Pointer;
  readonly refits: 0 | 1;
}

/**
 * Shared memory for what goes along with the tensor that is being transcoded: one at a time, so one area will
 * do.
 */
class SideArea {
  readonly #compute: Compute;
  readonly #importance: Pointer;
  readonly #factor: Pointer;
  readonly #pivots: Pointer;
  readonly #conditional: Pointer;
  readonly #triangle: Pointer;
  readonly #turns: Turns;
  readonly #signal: AbortSignal | undefined;
  #holds: Partial<Pick<PlannedTensor, 'scheme' | 'importance' | 'feedback'>> = {};

  constructor(compute: Compute, sinks: readonly TensorSink[], turns: Turns, signal: AbortSignal | undefined) {
    const tensors = sinks.map(({ tensor }) => tensor);
    this.#compute = compute;
    this.#importance = compute.alloc(importanceBytes(tensors));
    this.#factor = compute.alloc(feedbackBytes(tensors));
    this.#pivots = compute.alloc(pivotBytes(tensors));
    this.#conditional = compute.alloc(conditionalBytes(tensors));
    this.#triangle = compute.alloc(triangleBytes(tensors));
    this.#turns = turns;
    this.#signal = signal;
  }

  /** Places that hold until the next call for another tensor. */
  async of(tensor: PlannedTensor): Promise<Side> {
    const { importance, feedback, scheme } = tensor;
    // Pieces of one tensor share all three.
    const held = this.#holds;
    if (importance && (importance !== held.importance || scheme !== held.scheme)) {
      const usable = usableImportances(await importance.values(this.#signal), scheme);
      this.#compute.floats(this.#importance, usable.length).set(usable);
    }
    if (feedback && !isDeepStrictEqual(feedback, held.feedback)) await this.#factorize(feedback);
    this.#holds = { scheme, ...(importance && { importance }), ...(feedback && { feedback }) };
    return {
      importance: importance ? this.#importance : 0,
      factor: feedback ? this.#factor : 0,
      pivots: feedback ? this.#pivots : 0,
      conditional: feedback?.descent ? this.#conditional : 0,
      refits: feedback?.refit ? 1 : 0,
    };
  }

  async #factorize(feedback: Feedback): Promise<void> {
    const { size } = feedback.moments;
    const reversed = this.#compute.doubles(this.#triangle, triangleSize(size));
    const least = await feedbackTriangle(feedback, reversed, this.#signal);
    const { columns } = feedback;
    const factors = {
      triangle: this.#triangle,
      size,
      least,
      columns,
      factor: this.#factor,
      pivots: this.#pivots,
      conditional: this.#conditional,
    };
    await feedbackFactors(this.#compute, factors, this.#turns);
  }
}

/** Shared memory for one chunk: stored rows, their transcoded form, then the comparison of both. */
class Slot {
  readonly #compute: Compute;
  readonly #at: Pointer;
  #pending: Promise<void> = Promise.resolve();

  constructor(compute: Compute, at: Pointer) {
    this.#compute = compute;
    this.#at = at;
  }

  /** Waits for the read or write under way, and throws what it threw. */
  idle(): Promise<void> {
    return this.#pending;
  }

  read({ tensor, range, sourceBytes }: Chunk, signal: AbortSignal | undefined): void {
    this.#start(tensor.source.readRows(range, this.#compute.bytes(this.#at, sourceBytes), signal));
  }

  write(chunk: Chunk): void {
    this.#start(writeRows(chunk, chunk.range.first, this.target(chunk)));
  }

  async transcode(chunk: Chunk, { importance, ...feedback }: Side, turns: Turns): Promise<void> {
    const { source, scheme } = chunk.tensor;
    const columns = columnCount(source);
    const rows = chunk.range.count;
    const sourceScheme = SCHEMES[source.scheme].ggmlType;
    const targetScheme = SCHEMES[scheme].ggmlType;
    const [sourceRowBytes, targetRowBytes] = [rowBytes(source), schemeBytes(scheme, columns)];
    const target = this.#targetAt(chunk);
    const job = { source: this.#at, sourceScheme, sourceRowBytes, target, targetRowBytes, rows, columns };
    const run = <K extends KernelName>(kernel: K, fields: Job<K>) =>
      this.#compute.runInTurns(kernel, fields, turns);
    if (feedback.factor !== 0)
      await run('roundWithFeedback', { ...job, targetScheme, importance, ...feedback });
    else if (chunk.tensor.byRow) await run('quantizeByRow', job);
    else await run('transcode', { ...job, targetScheme, importance });
    await run('difference', {
      a: this.#at,
      aScheme: sourceScheme,
      aRowBytes: sourceRowBytes,
      b: target,
      bScheme: targetScheme,
      bRowBytes: targetRowBytes,
      rows,
      columns,
      out: this.#statisticsAt(chunk),
    });
  }

  source(chunk: Chunk): Uint8Array {
    return this.#compute.bytes(this.#at, chunk.sourceBytes);
  }

  target(chunk: Chunk): Uint8Array {
    return this.#compute.bytes(this.#targetAt(chunk), chunk.targetBytes);
  }

  statistics(chunk: Chunk): Float64Array {
    const count = (chunk.range.count * ROW_STATISTICS_BYTES) / Float64Array.BYTES_PER_ELEMENT;
    return this.#compute.doubles(this.#statisticsAt(chunk), count);
  }

  #start(action: Promise<void>): void {
    this.#pending = action;
    // Its failure is met at the next `idle`; until then it must not count as unhandled.
    action.catch(() => undefined);
  }

  #targetAt({ sourceBytes }: Chunk): Pointer {
    return alignUp(this.#at + sourceBytes);
  }

  #statisticsAt(chunk: Chunk): Pointer {
    return alignUp(this.#targetAt(chunk) + chunk.targetBytes);
  }
}

function alignUp(pointer: Pointer): Pointer {
  return Math.ceil(pointer / SLOT_ALIGNMENT) * SLOT_ALIGNMENT;
}

/** Names the weight by which a row is not finite, in the source already or only in the target. */
function notFinite(chunk: Chunk, row: number, slot: Slot, files: TranscodeOptions['files']): PressError {
  const { source, scheme } = chunk.tensor;
  const before = decodeRow(source.scheme, slot.source(chunk), row, columnCount(source));
  const after = decodeRow(scheme, slot.target(chunk), row, columnCount(source));
  const inSource = before.findIndex((value) => !Number.isFinite(value));
  const column = inSource >= 0 ? inSource : largestOverflow(before, after);
  const place = [chunk.range.first + row, column];
  if (chunk.tensor.transposed) place.reverse();
  const file = files[source.origin.file]?.name;
  return invalidInput({
    ...(file !== undefined && { file }),
    field: `tensor "${source.name}"`,
    what: `weight [${place.join(', ')}] ${inSource >= 0 ? 'is not finite' : `overflows in ${scheme}`}`,
    got: before[column]!,
  });
}

/** A block's scale overflows by its largest weight and spoils the others. */
function largestOverflow(before: Float32Array, after: Float32Array): number {
  return before.reduce((most, value, column) => {
    if (Number.isFinite(after[column]!)) return most;
    return most < 0 || Math.abs(value) > Math.abs(before[most]!) ? column : most;
  }, -1);
}

function decodeRow(scheme: SchemeName, rows: Uint8Array, row: number, columns: number): Float32Array {
  const values = new Float32Array(columns);
  decoderOf(scheme)(rows, row * schemeBytes(scheme, columns), values, 0, columns);
  return values;
}
