import type { ProgressEvent } from '../../core/jobs/progress.ts';
import {
  formatBytes,
  formatClock,
  formatCount,
  formatCounted,
  formatSeconds,
} from '../../core/text/format.ts';
import { terminalLine } from './terminal/terminal-text.ts';
import { cutToWidth, textWidth } from './terminal/text-width.ts';

type PhaseStart = Extract<ProgressEvent, { kind: 'phase' }>;

/** Time over which the rate is averaged: shows a change of speed soon, but does not flicker. */
const RATE_SECONDS = 3;
/** The first moments of a phase do not predict its end. */
const ETA_AFTER_SECONDS = 1;

/** The first steps of an uneven phase do not predict its end either: the part of the work before it is told. */
const UNEVEN_START = 0.02;

/** A longer estimate is not shown: it comes from a moment in which nothing moved. */
const MAX_ETA_SECONDS = 100 * 3600;

/**
 * Counts the work of a phase, and reports rate and time left. Times are milliseconds of the caller's
 * clock.
 */
export class PhaseMeter {
  readonly name: string;
  readonly #total: number | undefined;
  readonly #unit: PhaseStart['unit'];
  readonly #start: number;
  readonly #uneven: boolean;
  #stage: string | undefined;
  #done = 0;
  /** Units per second over the last seconds. */
  #rate = 0;
  #last: number;

  constructor({ name, total, unit, uneven = false }: PhaseStart, now: number) {
    this.name = terminalLine(name, false);
    this.#total = total;
    this.#unit = unit;
    this.#uneven = uneven;
    this.#start = now;
    this.#last = now;
  }

  /** Says what is being done. */
  enter(stage: string): void {
    this.#stage = terminalLine(stage, false);
  }

  advance(done: number, now: number): void {
    // After the clock has gone back, no time passes until it reaches its old value.
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

  /**
   * `convert: 1.23 GB of 3.65 GB, 34 %, 250 MB/s, 0:10 left`, in at most `columns`. The name is cut first.
   */
  status(now: number, columns = Number.POSITIVE_INFINITY): string {
    const figures = this.#figures(now);
    const label = this.#stage === undefined ? this.name : `${this.name}, ${this.#stage}`;
    if (figures === '') return cutToWidth(label, columns);
    const name = cutToWidth(label, Math.max(1, columns - textWidth(figures) - 2));
    return cutToWidth(`${name}: ${figures}`, columns);
  }

  #figures(now: number): string {
    const total = this.#total;
    if (this.#done === 0) return total === undefined ? '' : this.#amount(total);
    const parts =
      total === undefined || total === 0
        ? [this.#amount(this.#done)]
        : [
            `${this.#count(this.#done)} of ${this.#amount(total)}`,
            `${Math.floor((100 * this.#done) / total)} %`,
          ];
    const rate = this.#uneven ? this.#done / this.seconds(now) : this.#rate;
    const shown = this.#shownRate(rate);
    if (shown !== undefined) parts.push(shown);
    const left = total === undefined ? Number.POSITIVE_INFINITY : (total - this.#done) / rate;
    if (this.#uneven && this.#done < UNEVEN_START * (total ?? 0)) return parts.join(', ');
    if (left >= 0 && left < MAX_ETA_SECONDS && this.seconds(now) >= ETA_AFTER_SECONDS) {
      parts.push(`${formatClock(left)} left`);
    }
    return parts.join(', ');
  }

  /** `write x.gguf: 3.65 GB in 12.3 s`. */
  summary(now: number): string {
    const amount = this.#done === 0 ? '' : `${this.#amount(this.#done)} `;
    return `${this.name}: ${amount}in ${formatSeconds(this.seconds(now))}`;
  }

  /** `250 MB/s`, `0.4 tokens/s`; nothing for a rate that would show as 0. */
  #shownRate(rate: number): string | undefined {
    if (!(rate > 0 && Number.isFinite(rate))) return undefined;
    if (this.#unit === 'bytes') return rate < 0.5 ? undefined : `${formatBytes(Math.round(rate))}/s`;
    // Two decimals below one: slow phases count layers or sizes, each of which takes seconds.
    const shown = rate < 1 ? Number(rate.toFixed(2)) : Math.round(rate);
    if (shown === 0) return undefined;
    return this.#unit === undefined ? `${formatCount(shown)}/s` : `${formatCount(shown)} ${this.#unit}/s`;
  }

  #amount(count: number): string {
    const whole = Math.round(count);
    return this.#unit === 'tokens' ? formatCounted(whole, 'token') : this.#count(whole);
  }

  /** Bytes come with their own unit, as it changes with their size. */
  #count(count: number): string {
    return this.#unit === 'bytes' ? formatBytes(Math.round(count)) : formatCount(Math.round(count));
  }
}
