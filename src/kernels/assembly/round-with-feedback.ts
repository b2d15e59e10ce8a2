import { DESCENT_COLUMNS, FEEDBACK_TILE } from '../tiles';
import { blockSizeOf } from './code-grid';
import { descend } from './descend';
import { dot } from './dot';
import { factorRow } from './feedback-factor';
import { groupSizeOf } from './group-scales';
import { count, floatBytes, pointer } from './job';
import { multiplyTile } from './matmul-tile';
import { REFIT_BYTES, refitGroup, takeOverByMin } from './refit-group';
import { ROW_WINDOW_BYTES, RowWindow } from './row-window';
import { decodeRow, encodeRow } from './rows';
import { WindowLoss } from './window-loss';

/** Columns that are rounded one by one before their errors are taken together. */
const SPAN: i32 = 32;
/** Bytes of scratch for `Tile` and `WindowLoss`. */
const TILE_BYTES: usize = 192;
const LOSS_BYTES: usize = 64;

export function roundWithFeedback(fields: usize, scratch: usize, first: i32, end: i32): void {
  const source = pointer(fields, 0);
  const sourceScheme = count(fields, 1);
  const sourceRowBytes = pointer(fields, 2);
  const target = pointer(fields, 3);
  const rows = count(fields, 6);
  const tile = changetype<Tile>(scratch);
  tile.open(fields, scratch + TILE_BYTES);
  for (let t = first; t < end; t++) {
    const r = t * FEEDBACK_TILE;
    tile.rows = min<i32>(FEEDBACK_TILE, rows - r);
    tile.target = target + <usize>r * tile.targetRowBytes;
    for (let i = 0; i < tile.rows; i++) {
      const row = source + <usize>(r + i) * sourceRowBytes;
      decodeRow(sourceScheme, row, tile.errors + <usize>i * tile.errorBytes, tile.columns);
    }
    for (let w = 0; w < tile.columns; w += DESCENT_COLUMNS) tile.roundWindow(w);
  }
}

/** Rows that are rounded together, one window of columns after the other. */
@unmanaged
class Tile {
  scheme: i32;
  targetRowBytes: usize;
  columns: i32;
  importance: usize;
  factor: usize;
  pivots: usize;
  conditional: usize;
  refits: bool;
  blockSize: i32;
  blockBytes: usize;
  blockFloats: usize;
  groupSize: i32;
  rows: i32;
  /** First of its rows. */
  target: usize;
  loss: WindowLoss;
  /** Of columns that have been rounded the errors, of the others the weights. */
  errors: usize;
  errorBytes: usize;
  /** Of a block, the weights with what they have taken over so far. */
  corrected: usize;
  products: usize;
  windows: usize;
  gradient: usize;
  refitting: usize;
  search: usize;

  open(fields: usize, scratch: usize): void {
    this.scheme = count(fields, 4);
    this.targetRowBytes = pointer(fields, 5);
    this.columns = count(fields, 7);
    this.importance = pointer(fields, 8);
    this.factor = pointer(fields, 9);
    this.pivots = pointer(fields, 10);
    this.conditional = pointer(fields, 11);
    this.refits = count(fields, 12) !== 0;
    this.blockSize = blockSizeOf(this.scheme);
    this.blockBytes = this.targetRowBytes / <usize>(this.columns / this.blockSize);
    this.blockFloats = floatBytes(this.blockSize);
    this.groupSize = groupSizeOf(this.scheme);
    this.errorBytes = floatBytes(this.columns);
    this.loss = changetype<WindowLoss>(scratch);
    this.loss.factor = this.factor;
    this.loss.diagonal = scratch + LOSS_BYTES;
    this.gradient = this.loss.diagonal + floatBytes(DESCENT_COLUMNS);
    this.refitting = this.gradient + floatBytes(DESCENT_COLUMNS);
    this.errors = this.refitting + REFIT_BYTES;
    this.corrected = this.errors + <usize>FEEDBACK_TILE * this.errorBytes;
    this.products = this.corrected + <usize>FEEDBACK_TILE * this.blockFloats;
    this.windows = this.products + <usize>FEEDBACK_TILE * this.blockFloats;
    this.search = this.windows + <usize>FEEDBACK_TILE * ROW_WINDOW_BYTES;
  }

  roundWindow(first: i32): void {
    const loss = this.loss;
    loss.first = first;
    loss.size = min<i32>(DESCENT_COLUMNS, this.columns - first);
    loss.pivots = this.pivots + floatBytes(first);
    for (let i = 0; i < this.rows; i++) {
      const row = this.row(i);
      row.scheme = this.scheme;
      row.blockSize = this.blockSize;
      row.blockShift = ctz(this.blockSize);
      row.blockBytes = this.blockBytes;
      row.blocks =
        this.target + <usize>i * this.targetRowBytes + <usize>(first / this.blockSize) * this.blockBytes;
      row.errors = this.errors + <usize>i * this.errorBytes + floatBytes(first);
      memory.copy(row.weights(0), row.errors, floatBytes(loss.size));
    }
    for (let k = 0; k < loss.size; k += this.blockSize) this.roundBlock(k);
    if (this.conditional === 0) return;
    loss.moments = this.conditional + <usize>first * floatBytes(DESCENT_COLUMNS);
    loss.readDiagonal();
    for (let i = 0; i < this.rows; i++) descend(this.row(i), loss, this.gradient);
  }

  /** Rounds the block from column `first` of the window on. */
  private roundBlock(first: i32): void {
    const column = this.loss.first + first;
    for (let i = 0; i < this.rows; i++) {
      memory.copy(this.correctedOf(i, 0), this.row(i).errors + floatBytes(first), this.blockFloats);
    }
    this.takeOver(0, column, column, this.blockSize, this.corrected);
    const importance: usize = this.importance === 0 ? 0 : this.importance + floatBytes(column);
    for (let i = 0; i < this.rows; i++) {
      const row = this.row(i);
      encodeRow(
        this.scheme,
        this.correctedOf(i, 0),
        row.block(first),
        this.blockSize,
        this.search,
        importance,
      );
      row.readGrid(first);
    }
    for (let s = 0; s < this.blockSize; s += SPAN) {
      this.takeOver(column, column + s, column + s, SPAN, this.corrected + floatBytes(s));
      this.roundSpan(first + s, s);
    }
  }

  /** Rounds the columns of a span, which begins with column `first` of the window and `at` of the block. */
  private roundSpan(first: i32, at: i32): void {
    const loss = this.loss;
    for (let k = 0; k < SPAN; k++) {
      const coefficients = loss.coefficients(first + k, first);
      for (let i = 0; i < this.rows; i++) {
        const row = this.row(i);
        const taken = dot(row.errors + floatBytes(first), coefficients, k);
        row.round(first + k, load<f32>(this.correctedOf(i, at + k)) + taken);
      }
      const end = first + k + 1;
      if (!this.refits || end % this.groupSize !== 0) continue;
      const from = end - this.groupSize;
      takeOverByMin(loss, from, this.groupSize, this.refitting);
      for (let i = 0; i < this.rows; i++) refitGroup(this.row(i), loss, from, this.groupSize, this.refitting);
    }
  }

  /** Adds to `count` columns from `first` on what they take over from the errors of columns `from` .. `to` - 1. */
  private takeOver(from: i32, to: i32, first: i32, count: i32, values: usize): void {
    if (from === to) return;
    const offset = floatBytes(from);
    for (let k = 0; k < count; k += 4) {
      const at = first + k;
      multiplyTile(
        factorRow(this.factor, at) + offset,
        factorRow(this.factor, at + 1) + offset,
        factorRow(this.factor, at + 2) + offset,
        factorRow(this.factor, at + 3) + offset,
        4,
        to - from,
        this.errors + offset,
        this.errorBytes,
        this.products + floatBytes(k),
        this.blockFloats,
        this.rows,
      );
    }
    for (let i = 0; i < this.rows; i++) {
      const row = <usize>i * this.blockFloats;
      for (let k = 0; k < count; k += 4) {
        const at = row + floatBytes(k);
        v128.store(values + at, f32x4.add(v128.load(values + at), v128.load(this.products + at)));
      }
    }
  }

  private row(i: i32): RowWindow {
    return changetype<RowWindow>(this.windows + <usize>i * ROW_WINDOW_BYTES);
  }

  private correctedOf(row: i32, column: i32): usize {
    return this.corrected + <usize>row * this.blockFloats + floatBytes(column);
  }
}
