import type { PressError } from '../core/errors.ts';
import type { Progress } from '../core/jobs/progress.ts';
import type { SourceAccess } from '../pipeline/sources/open.ts';
import { describeFailure, type Failure } from './failure.ts';
import { Output, type OutputStream } from './output.ts';
import { makeReporter, type Reporter } from './ui/reporter.ts';
import { terminalJson, terminalLine } from './ui/terminal/terminal-text.ts';
import { makeTheme, type Theme, wantsBlocks, wantsColors } from './ui/terminal/theme.ts';

/** The outside world of a run. */
export interface Io {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly env: NodeJS.ProcessEnv;
}

/** Options that every command takes. */
export interface GlobalOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly debug?: boolean;
  readonly color: boolean;
}

/** Gives the session of this run. Options must have been parsed, so only actions may call it. */
export type OpenSession = () => Session;

/** The context of a command: output, progress, and the signal to stop. */
export class Session {
  readonly out: Output;
  /** Colours of stdout. */
  readonly theme: Theme;
  readonly signal: AbortSignal;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly env: NodeJS.ProcessEnv;
  readonly #stderr: OutputStream;
  readonly #errorTheme: Theme;
  readonly #reporter: Reporter;
  #exitCode = 0;
  #wroteJson = false;

  constructor(io: Io, options: GlobalOptions, signal: AbortSignal) {
    const colors = (stream: OutputStream) =>
      makeTheme(wantsColors(stream.isTTY === true, io.env, !options.color), wantsBlocks(io.env));
    this.out = new Output(io.stdout);
    this.theme = colors(io.stdout);
    this.signal = signal;
    this.json = options.json === true;
    this.quiet = options.quiet === true;
    this.env = io.env;
    this.#stderr = io.stderr;
    this.#errorTheme = colors(io.stderr);
    this.#reporter = makeReporter({
      stream: io.stderr,
      style: this.quiet ? 'silent' : isAnimated(io) ? 'animated' : 'lines',
      theme: this.#errorTheme,
    });
    signal.addEventListener('abort', () => this.#leaveEcho(), { once: true });
  }

  /**
   * Once the run is interrupted, reports notes only: a moving line hides the cursor, and a second signal
   * would leave it hidden.
   */
  readonly progress: Progress = (event) => {
    if (!this.signal.aborted || event.kind === 'note') this.#reporter.progress(event);
  };

  /** How commands open their sources. */
  get access(): SourceAccess {
    return { env: this.env, progress: this.progress, signal: this.signal };
  }

  /** 0, or the code of the last failure. */
  get exitCode(): number {
    return this.#exitCode;
  }

  async writeLines(lines: readonly string[]): Promise<void> {
    this.#reporter.stop();
    await this.out.write(lines.map((line) => `${terminalLine(line, true)}\n`).join(''));
  }

  /** The one JSON document of a run. */
  async writeJson(value: unknown): Promise<void> {
    this.#reporter.stop();
    await this.writeJsonText(`${terminalJson(JSON.stringify(value, null, 2))}\n`);
  }

  /** A piece of the one JSON document of a run, for documents that are too long to be held. */
  async writeJsonText(text: string): Promise<void> {
    this.#wroteJson = true;
    await this.out.write(text);
  }

  /** A remark for people. */
  note(text: string): void {
    this.progress({ kind: 'note', message: text });
  }

  /** Ends progress, for what is written to a terminal bit by bit. */
  endProgress(): void {
    this.#reporter.stop();
  }

  /** Reports a failure after the result, such as a threshold that is not met. */
  async fail(error: PressError): Promise<void> {
    await this.tell(describeFailure(error));
  }

  /** Prints the one line on stderr, and the JSON error object if no document has been started. */
  async tell(failure: Failure, stack?: string): Promise<void> {
    this.#reporter.stop();
    await this.out.endLine();
    this.#exitCode = failure.exitCode;
    const { class: name, exitCode, message } = failure;
    this.#stderr.write(`plmpress: ${this.#errorTheme.bad('error:')} ${terminalLine(message, false)}\n`);
    for (const line of stack?.split('\n') ?? []) this.#stderr.write(`${terminalLine(line, false)}\n`);
    if (this.json && !this.#wroteJson) await this.writeJson({ error: { class: name, exitCode, message } });
  }

  /**
   * Terminals echo Ctrl-C as ^C. The next output overwrites it, or begins on a new line if text stands before
   * it.
   */
  #leaveEcho(): void {
    this.#reporter.stop();
    if (this.out.isMidLine) void this.out.endLine();
    else if (this.#stderr.isTTY) this.#stderr.write('\r');
  }
}

/**
 * CI systems have terminals too, but nobody watches them. A terminal of 0 columns has not been given a size.
 */
function isAnimated({ stderr, env }: Io): boolean {
  const isCi = env.CI !== undefined && !['', '0', 'false'].includes(env.CI);
  return stderr.isTTY === true && Boolean(stderr.columns) && env.TERM !== 'dumb' && !isCi;
}
