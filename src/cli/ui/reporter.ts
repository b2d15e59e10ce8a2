import ora, { type Ora } from 'ora';
import type { Progress, ProgressEvent } from '../../core/progress.ts';
import { PhaseMeter } from './phase-meter.ts';
import type { Theme } from './theme.ts';

/** Tells people on stderr how far long work is. */
export interface Reporter {
  readonly progress: Progress;
  /** Ends what is shown; later events are lost. */
  stop(): void;
}

export interface ReporterOptions {
  readonly stream: NodeJS.WritableStream;
  /** What the stream is good for: a moving line, single lines, or nothing. */
  readonly style: 'animated' | 'lines' | 'silent';
  readonly theme: Theme;
  /** Milliseconds. */
  readonly now?: () => number;
}

export function makeReporter(options: ReporterOptions): Reporter {
  if (options.style === 'silent') return { progress: () => {}, stop: () => {} };
  return options.style === 'animated' ? new AnimatedReporter(options) : new LineReporter(options);
}

/** Terminals show some 12 changes a second as movement. */
const FRAME_MS = 80;
/** Phases that end sooner leave no line: nobody waited for them. */
const REMEMBERED_SECONDS = 1;

/** One line that moves; long phases leave a line when they end. */
class AnimatedReporter implements Reporter {
  readonly #spinner: Ora;
  readonly #theme: Theme;
  readonly #now: () => number;
  #meter: PhaseMeter | undefined;
  #drawn = 0;

  constructor({ stream, theme, now = performance.now.bind(performance) }: ReporterOptions) {
    const colors = theme.good('x') !== 'x';
    this.#spinner = ora({
      stream,
      isEnabled: true,
      color: colors ? 'cyan' : false,
      // Discarding stdin would put the terminal into raw mode, where Ctrl-C is no signal.
      discardStdin: false,
    });
    this.#theme = theme;
    this.#now = now;
  }

  readonly progress = (event: ProgressEvent): void => {
    const now = this.#now();
    if (event.kind === 'note') {
      this.#leave(this.#theme.good('•'), event.message);
    } else if (event.kind === 'phase') {
      this.#finishPhase(now);
      this.#meter = new PhaseMeter(event, now);
      this.#spinner.start(this.#meter.status(now));
    } else if (this.#meter !== undefined) {
      this.#meter.advance(event.done, now);
      this.#spinner.text = this.#meter.status(now);
      // Where kernels keep the thread busy, the spinner's own timer comes too rarely.
      if (now - this.#drawn >= FRAME_MS) {
        this.#drawn = now;
        this.#spinner.render();
      }
    }
  };

  stop(): void {
    this.#finishPhase(this.#now());
    this.#spinner.stop();
  }

  #finishPhase(now: number): void {
    const meter = this.#meter;
    this.#meter = undefined;
    if (meter === undefined) return;
    if (meter.seconds(now) < REMEMBERED_SECONDS) this.#spinner.stop();
    else this.#spinner.stopAndPersist({ symbol: this.#theme.good('•'), text: meter.summary(now) });
  }

  /** A line that stays, above the moving one. */
  #leave(symbol: string, text: string): void {
    const moving = this.#spinner.isSpinning ? this.#spinner.text : undefined;
    this.#spinner.stopAndPersist({ symbol, text });
    if (moving !== undefined) this.#spinner.start(moving);
  }
}

/** Logs of jobs show that the work goes on, without growing long. */
const HEARTBEAT_MS = 10_000;

/** One line a phase, and one about every ten seconds inside it. */
class LineReporter implements Reporter {
  readonly #stream: NodeJS.WritableStream;
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
      this.#meter.advance(event.done, now);
      if (now - this.#written >= HEARTBEAT_MS) this.#write(this.#meter.status(now), now);
    }
  };

  stop(): void {
    this.#meter = undefined;
  }

  #write(text: string, now: number): void {
    this.#written = now;
    this.#stream.write(`plmpress: ${text}\n`);
  }
}
