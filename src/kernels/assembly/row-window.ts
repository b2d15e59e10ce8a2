import { DESCENT_COLUMNS } from '../tiles';
import { levelOf, minOfGroup, nearestCode, setCode, stepOfGroup } from './code-grid';
import { floatBytes } from './job';

/** Weights that share a step and a min: those of larger groups are stored several times. */
export const GROUP_SIZE: i32 = 16;

const HEADER_BYTES: usize = 32;
const COLUMN_BYTES: usize = DESCENT_COLUMNS << 2;
const WEIGHTS: usize = HEADER_BYTES;
const LEVELS: usize = WEIGHTS + COLUMN_BYTES;
const RESIDUALS: usize = LEVELS + COLUMN_BYTES;
const GRID: usize = RESIDUALS + COLUMN_BYTES;
export const ROW_WINDOW_BYTES: usize = GRID + 8 * (DESCENT_COLUMNS / GROUP_SIZE);

/** A window of columns of a row while it is rounded. Columns count from the first of the window. */
@unmanaged
export class RowWindow {
  scheme: i32;
  /** Weights of a block: 2 to the power of `blockShift`. */
  blockSize: i32;
  blockShift: i32;
  blockBytes: usize;
  blocks: usize;
  /** The row's errors in this window. */
  errors: usize;

  /** Weights before they are rounded. */
  weights(k: i32): usize {
    return changetype<usize>(this) + WEIGHTS + floatBytes(k);
  }

  /** What the codes count for, in steps. */
  levels(k: i32): usize {
    return changetype<usize>(this) + LEVELS + floatBytes(k);
  }

  /** What rounding has left of each column, with what it takes over. */
  residuals(k: i32): usize {
    return changetype<usize>(this) + RESIDUALS + floatBytes(k);
  }

  /** Step and min of the 16 weights that column `k` is one of. */
  grid(k: i32): usize {
    return changetype<usize>(this) + GRID + 8 * (<usize>k / GROUP_SIZE);
  }

  block(k: i32): usize {
    return this.blocks + (<usize>k >> this.blockShift) * this.blockBytes;
  }

  /** Number of column `k` in its block. */
  inBlock(k: i32): i32 {
    return k & (this.blockSize - 1);
  }

  /** Reads steps and mins of the block from column `k` on. */
  readGrid(k: i32): void {
    const block = this.block(k);
    let grid = this.grid(k);
    for (let group = 0; group < this.blockSize / GROUP_SIZE; group++, grid += 8) {
      const step = stepOfGroup(this.scheme, block, group);
      store<f32>(grid, step);
      store<f32>(grid, minOfGroup(this.scheme, block, group, step), 4);
    }
  }

  /** Gives column `k` the code nearest to `wanted`. */
  round(k: i32, wanted: f32): void {
    const grid = this.grid(k);
    const step = load<f32>(grid);
    const inverse: f32 = step === 0 ? 0 : 1 / step;
    this.setCode(k, nearestCode(this.scheme, (wanted + load<f32>(grid, 4)) * inverse));
    store<f32>(this.residuals(k), wanted - this.rounded(k));
  }

  setCode(k: i32, code: i32): void {
    setCode(this.scheme, this.block(k), this.inBlock(k), code);
    store<f32>(this.levels(k), levelOf(this.scheme, code));
    this.noteError(k);
  }

  /** To be called once the code, the step or the min of column `k` has changed. */
  noteError(k: i32): void {
    store<f32>(this.errors + floatBytes(k), load<f32>(this.weights(k)) - this.rounded(k));
  }

  /** What is stored of column `k`. */
  rounded(k: i32): f32 {
    const grid = this.grid(k);
    return load<f32>(this.levels(k)) * load<f32>(grid) - load<f32>(grid, 4);
  }
}
