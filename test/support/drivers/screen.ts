import assert from 'node:assert/strict';
import { Writable } from 'node:stream';

interface Row {
  readonly cells: string[];
  /** Whether the next row goes on with this one. */
  wraps: boolean;
}

/** One step of what is written: a sequence of ECMA-48, a control character, or a character. */
const STEP = new RegExp(`${'\x1b'}\\[([?]?)([\\d;]*)([A-Za-z])|.`, 'gsu');

/**
 * A terminal, as far as the program speaks to it: what stands on the screen after all that has been written.
 * It scrolls without end. Throws on sequences that it does not know.
 */
export class Screen {
  showsCursor = true;
  #columns: number;
  #wraps = true;
  #rows: Row[] = [newRow()];
  #row = 0;
  #column = 0;

  constructor(columns: number) {
    this.#columns = columns;
  }

  /** Lines up to the last that holds something, without blanks at their ends. */
  get lines(): string[] {
    const lines = this.#rows.map(({ cells }) => cells.join('').trimEnd());
    return lines.slice(0, lines.findLastIndex((line) => line !== '') + 1);
  }

  /** Column of the cursor, from 0. */
  get column(): number {
    return this.#column;
  }

  write(text: string): void {
    for (const [step, question, numbers, final] of text.matchAll(STEP)) {
      if (final !== undefined) this.#obey(question!, numbers!, final);
      else if (step === '\r') this.#column = 0;
      else if (step === '\n') this.#down();
      else if (step === '\t') this.#column = Math.min(this.#columns - 1, (this.#column | 7) + 1);
      else if (step === '\b') this.#column = Math.max(0, this.#column - 1);
      else {
        assert.ok(step >= ' ', `control character ${JSON.stringify(step)} in ${JSON.stringify(text)}`);
        this.#put(step);
      }
    }
  }

  /** Changes the width. Terminals that reflow wrap their lines anew; the others cut them off. */
  resize(columns: number, reflows: boolean): void {
    this.#columns = columns;
    if (!reflows) {
      for (const { cells } of this.#rows) cells.length = Math.min(cells.length, columns);
      this.#column = Math.min(this.#column, columns - 1);
      return;
    }
    const rows: Row[] = [];
    let cursor: readonly [row: number, column: number] = [0, 0];
    const line: string[] = [];
    for (const [index, { cells, wraps }] of this.#rows.entries()) {
      if (index === this.#row) {
        const offset = line.length + this.#column;
        cursor = [rows.length + Math.floor(offset / columns), offset % columns];
      }
      line.push(...cells);
      if (wraps) continue;
      do rows.push({ cells: line.splice(0, columns), wraps: line.length > 0 });
      while (line.length > 0);
    }
    this.#rows = rows;
    [this.#row, this.#column] = cursor;
    while (this.#rows.length <= this.#row) this.#rows.push(newRow());
  }

  #obey(question: string, numbers: string, final: string): void {
    const number = Number(numbers || 1);
    const row = this.#rows[this.#row]!;
    switch (`${question}${question === '' ? '' : numbers}${final}`) {
      case 'm':
      // Holds back what is shown until all is there.
      case '?2026h':
      case '?2026l':
        return;
      case '?25h':
      case '?25l':
        this.showsCursor = final === 'h';
        return;
      case '?7h':
      case '?7l':
        this.#wraps = final === 'h';
        return;
      case 'A':
        this.#row = Math.max(0, this.#row - number);
        return;
      case 'G':
        this.#column = number - 1;
        return;
      case 'K':
      case 'J':
        assert.ok(numbers === '' || numbers === '0', `erases ${numbers}${final}`);
        row.cells.length = Math.min(row.cells.length, this.#column);
        row.wraps = false;
        if (final === 'J') this.#rows.length = this.#row + 1;
        return;
      default:
        assert.fail(`unknown sequence ESC [ ${question}${numbers}${final}`);
    }
  }

  #put(character: string): void {
    const width = /\p{Script=Han}|\p{Script=Hangul}/u.test(character) ? 2 : 1;
    if (!this.#wraps) this.#column = Math.min(this.#column, this.#columns - width);
    else if (this.#column + width > this.#columns) {
      this.#rows[this.#row]!.wraps = true;
      this.#down();
    }
    const { cells } = this.#rows[this.#row]!;
    while (cells.length < this.#column) cells.push(' ');
    cells[this.#column] = character;
    if (width === 2) cells[this.#column + 1] = '';
    this.#column += width;
  }

  #down(): void {
    this.#row++;
    this.#column = 0;
    if (this.#row === this.#rows.length) this.#rows.push(newRow());
  }
}

function newRow(): Row {
  return { cells: [], wraps: false };
}

/** A stream to a screen, as Node's own are to a terminal. */
export class ScreenStream extends Writable {
  readonly isTTY = true;
  readonly screen: Screen;
  columns: number;

  constructor(columns: number, screen = new Screen(columns)) {
    super({ decodeStrings: false });
    this.columns = columns;
    this.screen = screen;
  }

  resize(columns: number, reflows: boolean): void {
    this.columns = columns;
    this.screen.resize(columns, reflows);
  }

  override _write(text: string, _encoding: BufferEncoding, done: () => void): void {
    this.screen.write(text);
    done();
  }
}
