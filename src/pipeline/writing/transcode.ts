import { createHash } from 'node:crypto';
import { unsupported } from '../../core/errors.ts';
import type { PlannedTensor } from '../../core/export-plan.ts';
import type { Progress } from '../../core/jobs/progress.ts';
import { Turns } from '../../core/jobs/turns.ts';
import { SCHEMES, type SchemeName } from '../../core/scheme.ts';
import type { Compute } from '../../kernels/compute.ts';
import { bytesToWrite, type Chunk, chunksOf } from './chunk.ts';
import { type Ledger, Outbox } from './ledger.ts';
import { notFinite } from './not-finite.ts';
import { SideArea } from './side-area.ts';
import { Slot } from './slot.ts';
import { type StoredTensor, StoredTensorSum } from './stored-tensor.ts';
import { inReadingOrder, type TensorSink } from './tensor-sink.ts';
import { SLOTS } from './working-memory.ts';

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
