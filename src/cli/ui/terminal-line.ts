import { clearScreenDown, cursorTo } from 'node:readline';
import { Writable } from 'node:stream';
import type { OutputStream } from '../output.ts';

/** What terminals have that do not tell their width. */
const USUAL_COLUMNS = 80;

/**
 * A terminal as ora needs it to move a single line. ora divides by the columns to count the lines that its text takes, which never
 * ends in a terminal of 0 columns and is wrong once the width has changed. Here its text takes one line, whatever the width:
 * who draws cuts it to `room`.
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

  /** Columns that a line can take. The last stays free: what is written there makes some terminals begin a new line. */
  get room(): number {
    return Math.max(1, (this.terminal.columns || USUAL_COLUMNS) - 1);
  }

  cursorTo(column: number): boolean {
    return cursorTo(this.terminal, column);
  }

  /** All below, too: a line that was drawn before the terminal became narrower may take several now. */
  clearLine(): boolean {
    return clearScreenDown(this.terminal);
  }

  override _write(text: string, _encoding: BufferEncoding, done: () => void): void {
    this.terminal.write(text);
    done();
  }
}
