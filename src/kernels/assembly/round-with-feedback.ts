import { ROW_TILE } from '../tiles';
import { blockSizeOf, levelOf, minOfGroup, nearestCode, setCode, stepOfGroup } from './code-grid';
import { count, floatBytes, pointer } from './job';
import { decodeRow, encodeRow } from './rows';

/** Weights that share a step and a min: those of larger groups are stored several times. */
const GROUP_SIZE: i32 = 16;
const GROUPS: usize = 16;
/** Of a row, both in one: step and min of each group. */
const GRID_BYTES: usize = 8 * GROUPS;

export function roundWithFeedback(fields: usize, scratch: usize, first: i32, end: i32): void {
  const source = pointer(fields, 0);
  const sourceScheme = count(fields, 1);
  const sourceRowBytes = pointer(fields, 2);
  const target = pointer(fields, 3);
  const scheme = count(fields, 4);
  const targetRowBytes = pointer(fields, 5);
  const rows = count(fields, 6);
  const columns = count(fields, 7);
  const importance = pointer(fields, 8);
  const factor = pointer(fields, 9);

  const rowFloats = floatBytes(columns);
  const blockSize = blockSizeOf(scheme);
  const blockBytes = targetRowBytes / <usize>(columns / blockSize);
  const originals = scratch;
  const corrected = scratch + <usize>ROW_TILE * rowFloats;
  const grids = corrected + <usize>ROW_TILE * rowFloats;
  const search = grids + <usize>ROW_TILE * GRID_BYTES;
  for (let tile = first; tile < end; tile++) {
    const r = tile * ROW_TILE;
    const tileRows = <usize>min<i32>(ROW_TILE, rows - r);
    for (let i: usize = 0; i < tileRows; i++) {
      const row = originals + i * rowFloats;
      decodeRow(sourceScheme, source + (<usize>r + i) * sourceRowBytes, row, columns);
      memory.copy(corrected + i * rowFloats, row, rowFloats);
    }
    const targetRow = target + <usize>r * targetRowBytes;
    let weights = importance;
    let coefficients = factor;
    for (let c = 0; c < columns; c += blockSize) {
      const block = targetRow + <usize>(c / blockSize) * blockBytes;
      const column = floatBytes(c);
      for (let i: usize = 0; i < tileRows; i++) {
        const own = block + i * targetRowBytes;
        encodeRow(scheme, corrected + i * rowFloats + column, own, blockSize, search, weights);
        readGrid(scheme, own, grids + i * GRID_BYTES, blockSize);
      }
      for (let j = 0; j < blockSize; j++) {
        const at = column + floatBytes(j);
        const rest = columns - c - j - 1;
        for (let i: usize = 0; i < tileRows; i++) {
          const value = corrected + i * rowFloats + at;
          const grid = grids + i * GRID_BYTES + 8 * <usize>(j / GROUP_SIZE);
          const rounded = roundCode(scheme, block + i * targetRowBytes, j, load<f32>(value), grid);
          spread(value + 4, coefficients, rest, load<f32>(originals + i * rowFloats + at) - rounded);
        }
        coefficients += floatBytes(rest);
      }
      if (weights !== 0) weights += floatBytes(blockSize);
    }
  }
}

function readGrid(scheme: i32, block: usize, grid: usize, blockSize: i32): void {
  for (let group = 0; group < blockSize / GROUP_SIZE; group++) {
    const step = stepOfGroup(scheme, block, group);
    store<f32>(grid, step);
    store<f32>(grid, minOfGroup(scheme, block, group, step), 4);
    grid += 8;
  }
}

/** Writes the code of weight `j` of a block, nearest to `value`, and returns what it stands for. */
function roundCode(scheme: i32, block: usize, j: i32, value: f32, grid: usize): f32 {
  const step = load<f32>(grid);
  const min = load<f32>(grid, 4);
  const inverse: f32 = step === 0 ? 0 : 1 / step;
  const code = nearestCode(scheme, (value + min) * inverse);
  setCode(scheme, block, j, code);
  return levelOf(scheme, code) * step - min;
}

/** Adds `error` times a coefficient to each of `count` values. */
function spread(values: usize, coefficients: usize, count: i32, error: f32): void {
  const factor = f32x4.splat(error);
  const whole = count & ~3;
  for (let k = 0; k < whole; k += 4) {
    const at = floatBytes(k);
    const sum = f32x4.add(v128.load(values + at), f32x4.mul(factor, v128.load(coefficients + at)));
    v128.store(values + at, sum);
  }
  for (let k = whole; k < count; k++) {
    const at = floatBytes(k);
    store<f32>(values + at, load<f32>(values + at) + error * load<f32>(coefficients + at));
  }
}
