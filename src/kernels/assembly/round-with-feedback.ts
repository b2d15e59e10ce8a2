import { FEEDBACK_TILE } from '../tiles';
import { blockSizeOf, levelOf, minOfGroup, nearestCode, setCode, stepOfGroup } from './code-grid';
import { factorRow } from './feedback-factor';
import { codeLimitOf, groupSizeOf } from './group-scales';
import { count, floatBytes, pointer } from './job';
import { multiplyTile } from './matmul-tile';
import { fitGroup, GroupLoss } from './refit-group';
import { decodeRow, encodeRow } from './rows';
import { loadPartial, sumLanes } from './vector';

/** Weights that share a step and a min: those of larger groups are stored several times. */
const GROUP_SIZE: i32 = 16;
const GROUPS: usize = 16;
/** Of a row, both in one: step and min of each group. */
const GRID_BYTES: usize = 8 * GROUPS;

/** Columns that are rounded one by one before their errors are taken together. */
const SPAN: i32 = 32;
/** Byte offsets in what is kept of a row's span: weights, levels of codes, what rounding left. */
const WEIGHTS: usize = 0;
const LEVELS: usize = 128;
const RESIDUALS: usize = 256;
const SPAN_BYTES: usize = 384;

/** Byte offsets in what rows share while a group is refitted: its loss, and what it takes over by unit changes. */
const LOSS: usize = 0;
const BY_STEP: usize = 64;
const BY_MIN: usize = 192;
const REFIT_BYTES: usize = 320;

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
  const pivots = pointer(fields, 10);

  const rowFloats = floatBytes(columns);
  const blockSize = blockSizeOf(scheme);
  const blockFloats = floatBytes(blockSize);
  const blockBytes = targetRowBytes / <usize>(columns / blockSize);
  const groupSize = groupSizeOf(scheme);
  // Of columns that have been rounded the errors, of the others the weights.
  const errors = scratch;
  const corrected = errors + <usize>FEEDBACK_TILE * rowFloats;
  const products = corrected + <usize>FEEDBACK_TILE * blockFloats;
  const grids = products + <usize>FEEDBACK_TILE * blockFloats;
  const spans = grids + <usize>FEEDBACK_TILE * GRID_BYTES;
  const refitting = spans + <usize>FEEDBACK_TILE * SPAN_BYTES;
  const search = refitting + REFIT_BYTES;
  for (let tile = first; tile < end; tile++) {
    const r = tile * FEEDBACK_TILE;
    const tileRows = min<i32>(FEEDBACK_TILE, rows - r);
    for (let i = 0; i < tileRows; i++) {
      const row = source + <usize>(r + i) * sourceRowBytes;
      decodeRow(sourceScheme, row, errors + <usize>i * rowFloats, columns);
    }
    const targetRow = target + <usize>r * targetRowBytes;
    let weights = importance;
    for (let c = 0; c < columns; c += blockSize) {
      const block = targetRow + <usize>(c / blockSize) * blockBytes;
      for (let i = 0; i < tileRows; i++) {
        const row = errors + <usize>i * rowFloats + floatBytes(c);
        memory.copy(corrected + <usize>i * blockFloats, row, blockFloats);
      }
      takeOver(errors, rowFloats, 0, c, factor, c, blockSize, corrected, blockFloats, products, tileRows);
      for (let i = 0; i < tileRows; i++) {
        const own = block + <usize>i * targetRowBytes;
        encodeRow(scheme, corrected + <usize>i * blockFloats, own, blockSize, search, weights);
        readGrid(scheme, own, grids + <usize>i * GRID_BYTES, blockSize);
      }
      for (let s = c; s < c + blockSize; s += SPAN) {
        const values = corrected + floatBytes(s - c);
        takeOver(errors, rowFloats, c, s, factor, s, SPAN, values, blockFloats, products, tileRows);
        for (let i = 0; i < tileRows; i++) {
          const row = errors + <usize>i * rowFloats + floatBytes(s);
          memory.copy(spans + <usize>i * SPAN_BYTES + WEIGHTS, row, floatBytes(SPAN));
        }
        for (let k = s; k < s + SPAN; k++) {
          const coefficients = factorRow(factor, k) + floatBytes(s);
          const group = (k - c) / GROUP_SIZE;
          for (let i = 0; i < tileRows; i++) {
            const row = errors + <usize>i * rowFloats + floatBytes(s);
            const value = load<f32>(values + <usize>i * blockFloats + floatBytes(k - s));
            const wanted: f32 = value + dot(row, coefficients, k - s);
            const own = block + <usize>i * targetRowBytes;
            const span = spans + <usize>i * SPAN_BYTES + floatBytes(k - s);
            const grid = grids + <usize>i * GRID_BYTES + 8 * <usize>group;
            const level = roundCode(scheme, own, k - c, wanted, grid);
            const rounded: f32 = level * load<f32>(grid) - load<f32>(grid, 4);
            store<f32>(span, level, LEVELS);
            store<f32>(span, wanted - rounded, RESIDUALS);
            store<f32>(row + floatBytes(k - s), load<f32>(span, WEIGHTS) - rounded);
          }
          const last = k + 1;
          if (pivots === 0 || last % groupSize !== 0) continue;
          const from = last - groupSize;
          const refitted = (from - c) / GROUP_SIZE;
          takeOverByMin(factor, from, groupSize, refitting + BY_MIN);
          for (let i = 0; i < tileRows; i++) {
            const own = block + <usize>i * targetRowBytes;
            const span = spans + <usize>i * SPAN_BYTES + floatBytes(from - s);
            const grid = grids + <usize>i * GRID_BYTES + 8 * <usize>refitted;
            const row = errors + <usize>i * rowFloats + floatBytes(from);
            refit(scheme, own, from, groupSize, factor, pivots, span, grid, row, refitted, refitting);
          }
        }
      }
      if (weights !== 0) weights += blockFloats;
    }
  }
}

/** Adds to `count` columns from `first` on what they take over from the errors of columns `from` .. `to` - 1. */
function takeOver(
  errors: usize,
  rowFloats: usize,
  from: i32,
  to: i32,
  factor: usize,
  first: i32,
  count: i32,
  values: usize,
  valueBytes: usize,
  products: usize,
  rows: i32,
): void {
  if (from === to) return;
  const offset = floatBytes(from);
  for (let k = 0; k < count; k += 4) {
    const at = first + k;
    multiplyTile(
      factorRow(factor, at) + offset,
      factorRow(factor, at + 1) + offset,
      factorRow(factor, at + 2) + offset,
      factorRow(factor, at + 3) + offset,
      4,
      to - from,
      errors + offset,
      rowFloats,
      products + floatBytes(k),
      valueBytes,
      rows,
    );
  }
  for (let i = 0; i < rows; i++) {
    for (let k = 0; k < count; k += 4) {
      const at = <usize>i * valueBytes + floatBytes(k);
      v128.store(values + at, f32x4.add(v128.load(values + at), v128.load(products + at)));
    }
  }
}

/** In the lane order of `matmul`. */
function dot(a: usize, b: usize, count: i32): f32 {
  let sums = f32x4.splat(0);
  const whole = floatBytes(count & ~3);
  for (let at: usize = 0; at < whole; at += 16) {
    sums = f32x4.add(sums, f32x4.mul(v128.load(a + at), v128.load(b + at)));
  }
  const rest = count & 3;
  if (rest !== 0) {
    sums = f32x4.add(sums, f32x4.mul(loadPartial(a + whole, rest), loadPartial(b + whole, rest)));
  }
  return sumLanes(sums);
}

function readGrid(scheme: i32, block: usize, grid: usize, blockSize: i32): void {
  for (let group = 0; group < blockSize / GROUP_SIZE; group++) {
    const step = stepOfGroup(scheme, block, group);
    store<f32>(grid, step);
    store<f32>(grid, minOfGroup(scheme, block, group, step), 4);
    grid += 8;
  }
}

/** Writes the code of weight `j` of a block, nearest to `value`, and returns its level. */
function roundCode(scheme: i32, block: usize, j: i32, value: f32, grid: usize): f32 {
  const step = load<f32>(grid);
  const inverse: f32 = step === 0 ? 0 : 1 / step;
  const code = nearestCode(scheme, (value + load<f32>(grid, 4)) * inverse);
  setCode(scheme, block, j, code);
  return levelOf(scheme, code);
}

/** What the columns of a group from column `from` on come to if each gives 1 to those behind it. */
function takeOverByMin(factor: usize, from: i32, size: i32, into: usize): void {
  for (let k = 0; k < size; k++) {
    const coefficients = factorRow(factor, from + k) + floatBytes(from);
    let sum: f32 = 1;
    for (let j = 0; j < k; j++) sum += load<f32>(coefficients + floatBytes(j));
    store<f32>(into + floatBytes(k), sum);
  }
}

/**
 * Chooses step and min of a group of a row again, now that its codes are known, if that leaves less of the
 * loss of its columns. `span` and `errors` begin with the group.
 */
function refit(
  scheme: i32,
  block: usize,
  from: i32,
  size: i32,
  factor: usize,
  pivots: usize,
  span: usize,
  grid: usize,
  errors: usize,
  group: i32,
  refitting: usize,
): void {
  const levels = span + LEVELS;
  const limit = codeLimitOf(scheme);
  const byStep = refitting + BY_STEP;
  for (let k = 0; k < size; k++) {
    const coefficients = factorRow(factor, from + k) + floatBytes(from);
    const byMin = load<f32>(refitting + BY_MIN + floatBytes(k));
    const sum: f32 = load<f32>(levels + floatBytes(k)) + dot(levels, coefficients, k);
    store<f32>(byStep + floatBytes(k), sum - limit * byMin);
  }
  const loss = changetype<GroupLoss>(refitting + LOSS);
  loss.measure(size, pivots + floatBytes(from), span + RESIDUALS, byStep, refitting + BY_MIN);
  if (!fitGroup(scheme, block, group, grid, loss)) return;
  const step = load<f32>(grid);
  const min = load<f32>(grid, 4);
  if (size > GROUP_SIZE) {
    store<f32>(grid, step, 8);
    store<f32>(grid, min, 12);
  }
  for (let k = 0; k < size; k++) {
    const at = floatBytes(k);
    store<f32>(errors + at, load<f32>(span + at, WEIGHTS) - (load<f32>(levels + at) * step - min));
  }
}
