import ora, { type Ora } from 'ora';
import type { Progress, ProgressEvent } from '../../core/jobs/progress.ts';
import type { OutputStream } from '../output.ts';
import { PhaseMeter } from './phase-meter.ts';
import { TerminalLine } from './terminal/terminal-line.ts';
import { terminalLine } from './terminal/terminal-text.ts';
import type { Theme } from './terminal/theme.ts';

/** Shows the progress of long work on stderr. */
export interface Reporter {
  readonly progress: Progress;
  /** Ends what is shown. Writes nothing if nothing is shown; then an event that advances a phase is lost. */
  stop(): void;
}

export interface ReporterOptions {
  readonly stream: OutputStream;
  /** What is shown: a moving line, single lines, or nothing. */
  readonly style: 'animated' | 'lines' | 'silent';
  readonly theme: Theme;
  /** Milliseconds. */
  readonly now?: () => number;
}

export function makeReporter(options: ReporterOptions): Reporter {
  if (options.style === 'silent') return { progress: () => {}, stop: () => {} };
  return options.style === 'animated' ? new AnimatedReporter(options) : new LineReporter(options);
}

/** Terminals show some 12 changes per second as movement. */
const FRAME_MS = 80;
/** Shorter phases leave no line, because nobody waited for them. */
const REMEMBERED_SECONDS = 1;
/** Columns of the spinner and of the blank after it. */
const SPINNER_COLUMNS = 2;

/** One line that moves; long phases leave a line when they end. */
class AnimatedReporter implements Reporter {
  readonly #line: TerminalLine;
  readonly #spinner: Ora;
  readonly #theme: Theme;
  readonly #now: () => number;
  #meter: PhaseMeter | undefined;
  #drawn = 0;

  constructor({ stream, theme, now = performance.now.bind(performance) }: ReporterOptions) {
    const colors = theme.good('x') !== 'x';
    this.#line = new TerminalLine(stream);
    this.#spinner = ora({
      stream: this.#line,
      isEnabled: true,
      color: colors ? 'cyan' : false,
      // To hide the cursor ora listens to signals, and then a second one would not end a busy process.
      hideCursor: false,
      // Discarding stdin would put the terminal into raw mode, where Ctrl-C sends no signal.
      discardStdin: false,
    });
    this.#theme = theme;
    this.#now = now;
  }

  readonly progress = (event: ProgressEvent): void => {
    const now = this.#now();
    if (event.kind === 'note') {
      this.#leave(event.message);
    } else if (event.kind === 'phase') {
      this.#finishPhase(now);
      this.#meter = new PhaseMeter(event, now);
      this.#move(now);
    } else if (this.#meter !== undefined) {
      if (event.kind === 'stage') this.#meter.enter(event.stage);
      else this.#meter.advance(event.done, now);
      this.#move(now);
      // Where kernels keep the thread busy, the spinner's own timer comes too rarely.
      if (now - this.#drawn >= FRAME_MS) {
        this.#drawn = now;
        this.#spinner.render();
      }
    }
  };

  readonly stop = (): void => {
    this.#finishPhase(this.#now());
  };

  #finishPhase(now: number): void {
    const meter = this.#meter;
    this.#meter = undefined;
    if (meter === undefined) return;
    this.#halt();
    if (meter.seconds(now) >= REMEMBERED_SECONDS) this.#leave(meter.summary(now));
  }

  /** Sets the moving line to the state of the phase. */
  #move(now: number): void {
    const status = this.#meter!.status(now, this.#line.room - SPINNER_COLUMNS);
    this.#spinner.text = `${NO_WRAP}${status}${WRAP}\r`;
    if (this.#spinner.isSpinning) return;
    this.#line.write(HIDE_CURSOR);
    this.#spinner.start();
    this.#line.terminal.on('resize', this.#fit);
    // However the process ends, its next output begins on a clean line.
    for (const end of ENDS) process.on(end, this.stop);
  }

  readonly #fit = (): void => this.#move(this.#now());

  /** An idle spinner is not stopped again: that would move the cursor in a line that others write. */
  #halt(): void {
    if (!this.#spinner.isSpinning) return;
    this.#spinner.stop();
    this.#line.write(SHOW_CURSOR);
    this.#line.terminal.off('resize', this.#fit);
    for (const end of ENDS) process.off(end, this.stop);
  }

  /** A line that stays, above the moving one. */
  #leave(text: string): void {
    const moves = this.#spinner.isSpinning;
    this.#halt();
    this.#line.write(`${this.#theme.good('•')} ${terminalLine(text, false)}\n`);
    if (moves) this.#move(this.#now());
  }
}

/**
 * The event that a terminal has become narrower may come late. Until then the terminal cuts the line at its
 * edge. The cursor waits at the start of the line, so that echoed keys are overwritten, and a line that a
 * narrower terminal has wrapped is cleared as a whole.
 */
const [NO_WRAP, WRAP] = ['\x1b[?7l', '\x1b[?7h'];
const [HIDE_CURSOR, SHOW_CURSOR] = ['\x1b[?25l', '\x1b[?25h'];

/** Events of the process right before it ends by itself. */
const ENDS = ['exit', 'uncaughtExceptionMonitor'];

/** Often enough to show in the log of a job that work continues, without a long log. */
const HEARTBEAT_MS = 10_000;

/** One line per phase, and one about every ten seconds within it. */
class LineReporter implements Reporter {
  readonly #stream: OutputStream;
  readonly #now: () => number;
  #meter: PhaseMeter | undefined;
  #written = 0;

  constructor({ stream, now = performance.now.bind(performance) }: ReporterOptions) {
    this.#stream = stream;
    this.#now = now;
  }

  readonly progress = (event: ProgressEvent): void => {
    const now = this.#now();
    if (event.kind === 'note') {
      this.#write(event.message, this.#written);
    } else if (event.kind === 'phase') {
      this.#meter = new PhaseMeter(event, now);
      this.#write(this.#meter.status(now), now);
    } else if (this.#meter !== undefined) {
      if (event.kind === 'stage') this.#meter.enter(event.stage);
      else this.#meter.advance(event.done, now);
      if (now - this.#written >= HEARTBEAT_MS) this.#write(this.#meter.status(now), now);
    }
  };

  stop(): void {
    this.#meter = undefined;
  }

  #write(text: string, now: number): void {
    this.#written = now;
    this.#stream.write(`plmpress: ${terminalLine(text, false)}\n`);
  }
}
