import { clearScreenDown, cursorTo } from 'node:readline';
import { Writable } from 'node:stream';
import type { OutputStream } from '../../output.ts';

/** Columns of a terminal that does not report its width. */
const USUAL_COLUMNS = 80;

/**
 * A terminal as ora needs it to redraw a single line. ora divides by the columns to count the lines of its
 * text. That never ends in a terminal of 0 columns, and is wrong once the width has changed. Here the text
 * always counts as one line, and the caller cuts it to `room`.
 */
export class TerminalLine extends Writable {
  readonly isTTY = true;
  /** No text is counted as more than one line. */
  readonly columns = Number.MAX_SAFE_INTEGER;
  readonly terminal: OutputStream;

  constructor(terminal: OutputStream) {
    super({ decodeStrings: false });
    this.terminal = terminal;
  }

  /** Columns for a line. The last stays free: writing there makes some terminals begin a new line. */
  get room(): number {
    return Math.max(1, (this.terminal.columns || USUAL_COLUMNS) - 1);
  }

  cursorTo(column: number): boolean {
    return cursorTo(this.terminal, column);
  }

  /** Clears all below, too: a line drawn before the terminal became narrower may take several lines now. */
  clearLine(): boolean {
    return clearScreenDown(this.terminal);
  }

  override _write(text: string, _encoding: BufferEncoding, done: () => void): void {
    this.terminal.write(text);
    done();
  }
}
