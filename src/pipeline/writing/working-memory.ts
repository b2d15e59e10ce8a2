import { PressError } from '../../core/errors.ts';
import { type PlannedTensor, plannedRows } from '../../core/export-plan.ts';
import { schemeBytes } from '../../core/scheme.ts';
import { columnCount, rowBytes } from '../../core/tensor.ts';
import { machine } from '../../kernels/machine.ts';
import { THREAD_BYTES } from '../../kernels/threads.ts';
import { DESCENT_COLUMNS } from '../../kernels/tiles.ts';

/** One chunk is read while another is transcoded and a third is written. */
export const SLOTS = 3;
/** Four f64 a row: what the kernel `difference` returns. */
export const ROW_STATISTICS_BYTES = 32;
/** Areas inside a slot start on cache lines. */
export const SLOT_ALIGNMENT = 64;

/** Enough to hide the cost of system calls and of waking threads; twice as much is not faster. */
const PREFERRED_SLOT_BYTES = 8 << 20;
/** The young generation of V8 may grow to three spaces of 16 MiB before it is collected. */
const GROWTH_BYTES = 48 << 20;

/** Bytes that one row of a tensor takes in a slot: read, written and compared. */
export function rowFootprint({ source, scheme }: Pick<PlannedTensor, 'source' | 'scheme'>): number {
  return rowBytes(source) + schemeBytes(scheme, columnCount(source)) + ROW_STATISTICS_BYTES;
}

export interface MemoryLimit {
  /** Memory limit of the process in bytes; undefined: the memory of the machine or container. */
  readonly maxMemory: number | undefined;
  /** What it holds already: the runtime, the tokenizer. */
  readonly resident: number;
  readonly threads: number;
  /** What files take that are made of others; left out: nothing. */
  readonly making?: number;
}

/** Bytes of the areas that hold importances and feedback of one tensor: of the widest that has any. */
export function sideBytes(tensors: readonly PlannedTensor[]): number {
  return [importanceBytes, feedbackBytes, pivotBytes, conditionalBytes, triangleBytes].reduce(
    (sum, bytesOf) => sum + bytesOf(tensors),
    0,
  );
}

export function importanceBytes(tensors: readonly PlannedTensor[]): number {
  return tensors.reduce(
    (most, { importance, source }) => Math.max(most, aligned(importance ? 4 * columnCount(source) : 0)),
    0,
  );
}

export function feedbackBytes(tensors: readonly PlannedTensor[]): number {
  const columns = feedbackColumns(tensors);
  return aligned(2 * columns * Math.max(0, columns - 1));
}

export function pivotBytes(tensors: readonly PlannedTensor[]): number {
  return aligned(4 * feedbackColumns(tensors));
}

/** Of the moments that codes are chosen again by. */
export function conditionalBytes(tensors: readonly PlannedTensor[]): number {
  return aligned(4 * DESCENT_COLUMNS * feedbackColumns(tensors));
}

/** Of the second moments that feedback is factored from. */
export function triangleBytes(tensors: readonly PlannedTensor[]): number {
  const columns = feedbackColumns(tensors);
  return aligned(4 * columns * (columns + 1));
}

function feedbackColumns(tensors: readonly PlannedTensor[]): number {
  return tensors.reduce((most, { feedback }) => Math.max(most, feedback?.columns ?? 0), 0);
}

/**
 * Bytes of each of the `SLOTS` slots. The bound of a conversion is resident + growth + (threads - 1) * thread
 * + making + importances and feedback + SLOTS * slot, where a slot holds at least one row step of any tensor.
 * @throws PressError `local-io` where that does not fit into `maxMemory`.
 */
export function slotBytes(tensors: readonly PlannedTensor[], limit: MemoryLimit): number {
  const smallest = tensors.reduce((most, tensor) => Math.max(most, smallestSlot(tensor)), SLOT_ALIGNMENT);
  const { maxMemory, resident, threads, making = 0 } = limit;
  const base = resident + GROWTH_BYTES + (threads - 1) * THREAD_BYTES + making + sideBytes(tensors);
  const available = aligned(((maxMemory ?? machine().memory) - base) / SLOTS - SLOT_ALIGNMENT);
  // The memory of the machine is not a limit that must be kept: if it is small, the smallest slots may do.
  if (maxMemory === undefined) return Math.max(Math.min(PREFERRED_SLOT_BYTES, available), smallest);
  if (available < smallest) {
    const megabytes = (bytes: number) => `${Math.ceil(bytes / 1e6)} MB`;
    throw new PressError('local-io', {
      what: `the memory limit is too small: ${megabytes(maxMemory)}`,
      expected: `at least ${megabytes(base + SLOTS * (smallest + SLOT_ALIGNMENT))}`,
    });
  }
  return Math.min(Math.max(PREFERRED_SLOT_BYTES, smallest), available);
}

/** Rows of one chunk: as many as fit, and at least one row step. */
export function rowsPerChunk(tensor: PlannedTensor, slot: number): number {
  const { rowStep } = tensor.source;
  const rows = Math.floor((slot - 2 * SLOT_ALIGNMENT) / rowFootprint(tensor));
  return Math.max(1, Math.floor(rows / rowStep)) * rowStep;
}

/** The three areas of a slot each may lose less than one alignment. */
function smallestSlot(tensor: PlannedTensor): number {
  const rows = Math.min(tensor.source.rowStep, plannedRows(tensor).count);
  return aligned(rows * rowFootprint(tensor) + 2 * SLOT_ALIGNMENT);
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / SLOT_ALIGNMENT) * SLOT_ALIGNMENT;
}
