import { type JobFields, KERNELS, type KernelName } from './jobs.ts';
import { CONTROL_FAILURE, CONTROL_FAILURE_BYTES, CONTROL_FIELDS, CONTROL_WORDS } from './layout.ts';
import type { SharedViews } from './memory.ts';

/** Runs tiles `first` .. `end` - 1 of the job whose fields lie at CONTROL_FIELDS. */
export type Execute = (kernel: KernelName, first: number, end: number) => void;

/**
 * Words of the control block. Waiting is on GENERATION (workers, for a job) and PENDING (the caller, for
 * workers).
 */
const GENERATION = 0;
const PENDING = 1;
const NEXT_TILE = 2;
const END_TILE = 3;
const GRAIN = 4;
const KERNEL = 5;
const FAILED = 6;
const FAILURE_LENGTH = 7;
const WORD_COUNT = 8;

const KERNEL_NAMES = Object.keys(KERNELS) as KernelName[];
const MAX_FIELDS = Math.max(...KERNEL_NAMES.map((kernel) => KERNELS[kernel].fields.length));

/**
 * A few microseconds: what the threads of one job usually finish apart. Sleeping and waking costs ten times
 * that.
 */
const SPINS = 2000;
/**
 * Seconds without a sign of life after which a thread counts as dead: a claim takes it milliseconds. They are
 * counted one by one, so that a process that was stopped for an hour has waited one of them.
 */
const PATIENCE = 60;

interface Tiles {
  readonly first: number;
  readonly end: number;
  readonly grain: number;
}

/** The block in shared memory through which the caller hands a job to the workers. */
export class Control {
  private readonly words: Int32Array<SharedArrayBuffer>;
  private readonly fields: Float64Array<SharedArrayBuffer>;
  private readonly failure: Uint8Array<SharedArrayBuffer>;

  constructor(views: SharedViews) {
    this.words = views.ints(CONTROL_WORDS, WORD_COUNT);
    this.fields = views.doubles(CONTROL_FIELDS, MAX_FIELDS);
    this.failure = views.bytes(CONTROL_FAILURE, CONTROL_FAILURE_BYTES);
  }

  /**
   * Writes a job, of which tiles `first` .. `end` - 1 are to be run, `grain` at once. Only while no worker is
   * at work.
   */
  prepare(kernel: KernelName, job: JobFields, { first, end, grain }: Tiles): void {
    KERNELS[kernel].fields.forEach((field, index) => {
      this.fields[index] = job[field]!;
    });
    this.words[KERNEL] = KERNEL_NAMES.indexOf(kernel);
    this.words[END_TILE] = end;
    this.words[GRAIN] = grain;
    this.words[FAILED] = 0;
    Atomics.store(this.words, NEXT_TILE, first);
  }

  /** Wakes `workers` workers for the prepared job. */
  publish(workers: number): void {
    Atomics.store(this.words, PENDING, workers);
    Atomics.add(this.words, GENERATION, 1);
    Atomics.notify(this.words, GENERATION);
  }

  /** Blocks until there is a job after that of `seen`; returns its generation. */
  awaitJob(seen: number): number {
    let generation = seen;
    while (generation === seen) {
      this.wait(GENERATION, seen);
      generation = Atomics.load(this.words, GENERATION);
    }
    return generation;
  }

  /** Claims tiles until none are left. Never throws: a failure is noted for the caller and ends the job. */
  takePart(execute: Execute): void {
    const kernel = KERNEL_NAMES[this.words[KERNEL]!]!;
    const end = this.words[END_TILE]!;
    const grain = this.words[GRAIN]!;
    try {
      for (;;) {
        const first = Atomics.add(this.words, NEXT_TILE, grain);
        if (first >= end) return;
        execute(kernel, first, Math.min(first + grain, end));
      }
    } catch (error) {
      this.fail(error);
    }
  }

  /** A worker's last word on a job. */
  leave(): void {
    if (Atomics.sub(this.words, PENDING, 1) === 1) Atomics.notify(this.words, PENDING);
  }

  /** Blocks until every worker has left the job; false where none did so for `patience` seconds. */
  awaitWorkers(patience = PATIENCE): boolean {
    for (let silent = 0; silent < patience; ) {
      const pending = this.pending();
      if (pending === 0) return true;
      silent = this.wait(PENDING, pending, 1000) ? 0 : silent + 1;
    }
    return this.pending() === 0;
  }

  /** The message of the thread that failed first, if one did. */
  failureMessage(): string | undefined {
    if (Atomics.load(this.words, FAILED) === 0) return undefined;
    // TextDecoder refuses shared memory.
    return Buffer.from(this.failure.slice(0, this.words[FAILURE_LENGTH]!)).toString();
  }

  private pending(): number {
    return Atomics.load(this.words, PENDING);
  }

  private fail(error: unknown): void {
    if (Atomics.compareExchange(this.words, FAILED, 0, 1) !== 0) return;
    const message = Buffer.from(error instanceof Error ? error.message : String(error));
    const kept = message.subarray(0, CONTROL_FAILURE_BYTES);
    this.failure.set(kept);
    this.words[FAILURE_LENGTH] = kept.length;
    Atomics.store(this.words, NEXT_TILE, this.words[END_TILE]!);
  }

  /**
   * Blocks until a word may have another value than `value`: spins for a moment, then sleeps. False after
   * `milliseconds`.
   */
  private wait(word: number, value: number, milliseconds?: number): boolean {
    for (let spin = 0; spin < SPINS; spin++) {
      if (Atomics.load(this.words, word) !== value) return true;
    }
    return Atomics.wait(this.words, word, value, milliseconds) !== 'timed-out';
  }
}
