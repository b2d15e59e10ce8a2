import { formatBytes, formatClock, formatCount, formatSeconds } from '../../core/format.ts';
import type { ProgressEvent } from '../../core/progress.ts';

type PhaseStart = Extract<ProgressEvent, { kind: 'phase' }>;

/** Time over which the rate is averaged: shows a change of speed soon, but does not flicker. */
const RATE_SECONDS = 3;
/** The first moments of a phase tell nothing about its end. */
const ETA_AFTER_SECONDS = 1;

/** Counts what a phase has done and tells rate and time left. Times are in milliseconds, as the caller has them. */
export class PhaseMeter {
  readonly name: string;
  readonly #total: number | undefined;
  readonly #unit: PhaseStart['unit'];
  readonly #start: number;
  #done = 0;
  /** Units a second over the last seconds. */
  #rate = 0;
  #last: number;

  constructor({ name, total, unit }: PhaseStart, now: number) {
    this.name = name;
    this.#total = total;
    this.#unit = unit;
    this.#start = now;
    this.#last = now;
  }

  advance(done: number, now: number): void {
    // A clock that goes back stands still until it is where it was.
    const seconds = (now - this.#last) / 1000;
    if (seconds <= 0) return;
    const elapsed = (now - this.#start) / 1000;
    // An exponential average that starts as the plain average of all so far.
    const weight = Math.min(1, seconds / Math.min(RATE_SECONDS, elapsed));
    this.#rate += weight * ((done - this.#done) / seconds - this.#rate);
    this.#done = done;
    this.#last = now;
  }

  seconds(now: number): number {
    return Math.max(0, now - this.#start) / 1000;
  }

  /** `write x.gguf: 1.23 GB of 3.65 GB, 34 %, 250 MB/s, 0:10 left`. */
  status(now: number): string {
    const total = this.#total;
    if (this.#done === 0) return total === undefined ? this.name : `${this.name}: ${this.#amount(total)}`;
    const parts =
      total === undefined || total === 0
        ? [this.#amount(this.#done)]
        : [
            `${this.#count(this.#done)} of ${this.#amount(total)}`,
            `${Math.floor((100 * this.#done) / total)} %`,
          ];
    parts.push(`${this.#amount(this.#rate)}/s`);
    if (total !== undefined && this.#rate > 0 && this.seconds(now) >= ETA_AFTER_SECONDS) {
      parts.push(`${formatClock((total - this.#done) / this.#rate)} left`);
    }
    return `${this.name}: ${parts.join(', ')}`;
  }

  /** `write x.gguf: 3.65 GB in 12.3 s`. */
  summary(now: number): string {
    const amount = this.#done === 0 ? '' : `${this.#amount(this.#done)} `;
    return `${this.name}: ${amount}in ${formatSeconds(this.seconds(now))}`;
  }

  #amount(count: number): string {
    const isCounted = this.#unit !== undefined && this.#unit !== 'bytes';
    return isCounted ? `${this.#count(count)} ${this.#unit}` : this.#count(count);
  }

  /** Bytes come with their own unit, as it changes with their size. */
  #count(count: number): string {
    return this.#unit === 'bytes' ? formatBytes(Math.round(count)) : formatCount(Math.round(count));
  }
}
