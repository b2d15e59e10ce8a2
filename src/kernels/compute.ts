import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { localIo, PressError, unsupported } from '../core/errors.ts';
import type { Turns } from '../core/jobs/turns.ts';
import { type GridName, gridOf } from '../schemes/grids.ts';
import { Control, type Execute } from './control.ts';
import { bufferOf, executor, type Workplace } from './executor.ts';
import { type Job, type JobFields, KERNELS, type KernelInfo, type KernelName } from './jobs.ts';
import { ALIGNMENT, arenaStart, GRIDS, MAX_PAGES, PAGE_BYTES, SCRATCH_BYTES } from './layout.ts';
import { machine } from './machine.ts';
import { type Pointer, SharedViews } from './memory.ts';
import { THREAD_ADDRESS_BYTES, THREAD_BYTES } from './threads.ts';
import type { WorkerStart } from './worker.ts';

export type { Pointer } from './memory.ts';

export interface ComputeOptions {
  /** Threads that run kernels, the calling one included. */
  readonly threads: number;
  /** Bytes that `alloc` can hand out in all; each area is rounded up to 64. */
  readonly bytes: number;
}

/** Work (in multiply-adds) worth claiming at once: some microseconds against a contended atomic. */
const CLAIM_WORK = 1 << 15;
/** Work of each thread between two turns: some tens of milliseconds, but for encoders that search. */
const TURN_WORK = 1 << 24;
/** Some 20 microseconds of one thread: below this waking the others costs more than they save. */
const SHARED_WORK = 1 << 19;

/**
 * Shared memory and the threads that run kernels on it. `run` blocks until its job is done, so areas need no
 * locks. Results do not depend on the number of threads.
 */
export class Compute extends SharedViews {
  readonly threads: number;
  private readonly workers: readonly Worker[];
  private readonly control: Control;
  private readonly execute: Execute;
  private readonly end: Pointer;
  private next: Pointer;
  private closed = false;
  private readonly onClose: () => void;
  /** Why no job can run any more. */
  private lost: PressError | undefined;

  /** Use `openCompute`. */
  constructor(workplace: Workplace, workers: readonly Worker[], bytes: number, onClose: () => void) {
    super(bufferOf(workplace));
    this.threads = workers.length + 1;
    this.workers = workers;
    this.onClose = onClose;
    this.control = new Control(this);
    this.execute = executor(workplace, 0);
    this.next = arenaStart(this.threads);
    this.end = this.next + bytes;
    for (const worker of workers) {
      worker.once('error', (cause) => this.lose(`a thread ended: ${cause.message}`, cause));
      worker.once('exit', (code) => this.lose(`a thread ended with code ${code}`));
    }
  }

  /** A zeroed area, aligned to 64 bytes, that lives as long as this object. */
  alloc(bytes: number): Pointer {
    const pointer = this.next;
    const next = pointer + Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
    if (next > this.end) {
      throw new PressError('local-io', {
        what: `working memory is used up: ${bytes} bytes are wanted, ${this.end - pointer} are left`,
      });
    }
    this.next = next;
    return pointer;
  }

  /**
   * Runs a job on all threads. Throws what went wrong in the first thread that failed, which a caller who
   * checks its target schemes with `canEncode` never sees; `local-io` once a thread has died.
   */
  run<K extends KernelName>(kernel: K, job: Job<K>): void {
    const { tiles } = KERNELS[kernel] as KernelInfo;
    this.runTiles(kernel, job, 0, tiles(job));
  }

  /**
   * Runs a job as `run` does, but for turns that are given between some of its tiles. Nothing else may run
   * until it is done.
   */
  async runInTurns<K extends KernelName>(kernel: K, job: Job<K>, turns: Turns): Promise<void> {
    const { tiles, tileWork } = KERNELS[kernel] as KernelInfo;
    const count = tiles(job);
    // One tile at least for each thread.
    const piece = this.threads * Math.ceil(TURN_WORK / Math.max(1, tileWork(job)));
    for (let first = 0; first < count; first += piece) {
      this.runTiles(kernel, job, first, Math.min(first + piece, count));
      await turns.offer();
    }
  }

  private runTiles(kernel: KernelName, job: JobFields, first: number, end: number): void {
    if (this.closed) throw new Error(`kernel ${kernel} run after close`);
    if (this.lost !== undefined) throw this.lost;
    const { tileWork, scratch } = KERNELS[kernel] as KernelInfo;
    const needed = 4 * (scratch?.(job) ?? 0);
    if (needed > SCRATCH_BYTES) {
      throw unsupported({
        what: `kernel ${kernel} needs ${needed} bytes of scratch`,
        expected: `at most ${SCRATCH_BYTES}`,
      });
    }
    const count = end - first;
    const work = Math.max(1, tileWork(job));
    const grain = Math.ceil(CLAIM_WORK / work);
    this.control.prepare(kernel, job, { first, end, grain });
    const shared = this.workers.length > 0 && count > grain && count * work > SHARED_WORK;
    if (shared) this.control.publish(this.workers.length);
    this.control.takePart(this.execute);
    if (shared && !this.control.awaitWorkers()) throw this.lose(`a thread that ran kernel ${kernel} died`);
    const failure = this.control.failureMessage();
    if (failure !== undefined) throw new Error(`kernel ${kernel} failed: ${failure}`);
  }

  private lose(what: string, cause?: Error): PressError {
    this.lost ??= new PressError('local-io', { what }, { cause });
    return this.lost;
  }

  /** Ends the workers. The memory goes when its last view does. */
  async close(): Promise<void> {
    if (!this.closed) this.onClose();
    this.closed = true;
    await terminate(this.workers);
  }
}

/** What all open instances take: threads and arenas. */
let taken = 0;

/**
 * Reserves the memory and starts the workers. Pages count towards resident memory when first written.
 * @throws PressError local-io where the machine, or the container that this runs in, has too little memory;
 * unsupported where WebAssembly has no SIMD.
 */
export async function openCompute({ threads, bytes }: ComputeOptions): Promise<Compute> {
  assertSimd();
  const arena = Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
  const pages = Math.ceil((arenaStart(threads) + arena) / PAGE_BYTES);
  if (pages > MAX_PAGES) {
    throw new PressError('local-io', {
      what: `${(pages * PAGE_BYTES) / 2 ** 30} GiB of working memory are needed, the limit is 4 GiB`,
    });
  }
  const needed = arena + threads * THREAD_BYTES;
  assertFits(needed, threads);
  const workplace = await makeWorkplace(pages);
  assertAddressable(threads);
  const workers: Worker[] = [];
  try {
    for (let thread = 1; thread < threads; thread++) workers.push(startWorker({ ...workplace, thread }));
    await Promise.all(workers.map((worker) => once(worker, 'message')));
  } catch (cause) {
    await terminate(workers);
    const what = `of ${threads} threads one did not start: ${(cause as Error).message}`;
    throw new PressError('local-io', { what }, { cause });
  }
  for (const worker of workers) worker.unref();
  taken += needed;
  return new Compute(workplace, workers, arena, () => {
    taken -= needed;
  });
}

/** Node.js itself. */
const BASE_BYTES = 64 << 20;

/** If a control group limits the memory, the kernel kills a process that takes more. */
function assertFits(bytes: number, threads: number): void {
  const { memory, isConstrained } = machine();
  const needed = BASE_BYTES + taken + bytes;
  if (!isConstrained || needed <= memory) return;
  const mebibytes = (count: number) => `${Math.ceil(count / 2 ** 20)} MiB`;
  throw new PressError('local-io', {
    what: `${threads} threads and their working memory need some ${mebibytes(needed)}`,
    expected: `at most ${mebibytes(memory)}, which this container has${threads > 1 ? '; lower --threads' : ''}`,
  });
}

/** Called after the memory is reserved, which takes most of the address space. */
function assertAddressable(threads: number): void {
  const { addressSpace } = machine();
  const needed = (threads - 1) * THREAD_ADDRESS_BYTES;
  if (needed <= addressSpace) return;
  const gibibytes = (count: number) => `${(count / 2 ** 30).toFixed(1)} GiB`;
  throw new PressError('local-io', {
    what: `${threads} threads need ${gibibytes(needed)} of address space`,
    expected: `at most ${gibibytes(addressSpace)}, which \`ulimit -v\` leaves; lower --threads`,
  });
}

function startWorker(start: WorkerStart): Worker {
  // Flags of the calling process are not for the workers; some, such as --input-type, would stop them.
  return new Worker(new URL('./worker.js', import.meta.url), { workerData: start, execArgv: [] });
}

async function terminate(workers: readonly Worker[]): Promise<void> {
  await Promise.all(workers.map((worker) => worker.terminate()));
}

async function makeWorkplace(pages: number): Promise<Workplace> {
  const file = new URL('./kernels.wasm', import.meta.url);
  const code = await readFile(file).catch((cause) => {
    throw localIo('kernels.wasm', cause);
  });
  const module = await WebAssembly.compile(code);
  const memory = reserve(pages);
  for (const [name, pointer] of Object.entries(GRIDS)) {
    new Int8Array(memory.buffer, pointer).set(gridOf(name as GridName));
  }
  return { module, memory };
}

function reserve(pages: number): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  } catch (cause) {
    const what = `the system does not give ${pages * PAGE_BYTES} bytes of working memory`;
    const expected = '`ulimit -v` of 16 GiB or more, or NODE_OPTIONS=--disable-wasm-trap-handler';
    const isLimited = machine().addressSpace < Infinity;
    throw new PressError('local-io', { what, ...(isLimited && { expected }) }, { cause });
  }
}

/** Validates a module of one function, `i32.const 0; i8x16.splat`. */
function assertSimd(): void {
  const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  const type = [1, 5, 1, 0x60, 0, 1, 0x7b];
  const code = [10, 8, 1, 6, 0, 0x41, 0, 0xfd, 0x0f, 0x0b];
  if (WebAssembly.validate(Uint8Array.from([...header, ...type, 3, 2, 1, 0, ...code]))) return;
  throw unsupported({
    what: 'WebAssembly has no SIMD here',
    expected: 'Node.js 20 or later on a processor with vectors of 128 bits',
  });
}
