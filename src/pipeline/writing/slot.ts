import type { Turns } from '../../core/jobs/turns.ts';
import { SCHEMES, schemeBytes } from '../../core/scheme.ts';
import { columnCount, rowBytes } from '../../core/tensor.ts';
import type { Compute, Pointer } from '../../kernels/compute.ts';
import type { Job, KernelName } from '../../kernels/jobs.ts';
import type { Chunk } from './chunk.ts';
import type { Side } from './side-area.ts';
import { writeRows } from './tensor-sink.ts';
import { ROW_STATISTICS_BYTES, SLOT_ALIGNMENT } from './working-memory.ts';

/** Shared memory for one chunk: stored rows, their transcoded form, then the comparison of both. */
export class Slot {
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
