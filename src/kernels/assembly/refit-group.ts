import { dot } from './dot';
import {
  codeLimitOf,
  hasMins,
  hasMultiples,
  largestStep,
  leastStep,
  minUnit,
  setHalves,
  setMultiples,
  stepUnit,
} from './group-scales';
import { loadHalf, storeHalf } from './half';
import { floatBytes } from './job';
import { GROUP_SIZE, RowWindow } from './row-window';
import { WindowLoss } from './window-loss';

/** Byte offsets in what rows share while a group is refitted: its loss, and what it takes over by unit changes. */
const LOSS: usize = 0;
const BY_STEP: usize = 64;
const BY_MIN: usize = 192;
export const REFIT_BYTES: usize = 320;

/** What `size` columns from `from` on come to if each gives 1 to those behind it: of all rows, for `refitGroup`. */
export function takeOverByMin(loss: WindowLoss, from: i32, size: i32, room: usize): void {
  for (let k = 0; k < size; k++) {
    const coefficients = loss.coefficients(from + k, from);
    let sum: f32 = 1;
    for (let j = 0; j < k; j++) sum += load<f32>(coefficients + floatBytes(j));
    store<f32>(room + BY_MIN + floatBytes(k), sum);
  }
}

/**
 * Chooses step and min of a group of a row again, now that its codes are known, if that leaves less of the
 * loss of its columns, `size` from `from` on.
 */
export function refitGroup(row: RowWindow, loss: WindowLoss, from: i32, size: i32, room: usize): void {
  const grid = row.grid(from);
  const oldStep = load<f32>(grid);
  const oldMin = load<f32>(grid, 4);
  const limit = codeLimitOf(row.scheme);
  const byStep = room + BY_STEP;
  const byMin = room + BY_MIN;
  const levels = row.levels(from);
  for (let k = 0; k < size; k++) {
    const at = floatBytes(k);
    const sum: f32 = load<f32>(levels + at) + dot(levels, loss.coefficients(from + k, from), k);
    store<f32>(byStep + at, sum - limit * load<f32>(byMin + at));
  }
  const residuals = row.residuals(from);
  const groupLoss = changetype<GroupLoss>(room + LOSS);
  groupLoss.measure(size, loss.pivots + floatBytes(from), residuals, byStep, byMin);
  const group = row.inBlock(from) / GROUP_SIZE;
  if (!fitGroup(row.scheme, row.block(from), group, grid, groupLoss)) return;
  const step = load<f32>(grid);
  const min = load<f32>(grid, 4);
  if (size > GROUP_SIZE) {
    store<f32>(grid, step, 8);
    store<f32>(grid, min, 12);
  }
  const stepChange: f32 = step - oldStep;
  // `byStep` has the share of a min that is so many steps.
  const minChange: f32 = min - oldMin - limit * stepChange;
  for (let k = 0; k < size; k++) {
    const at = floatBytes(k);
    row.noteError(from + k);
    const change: f32 = stepChange * load<f32>(byStep + at) - minChange * load<f32>(byMin + at);
    store<f32>(residuals + at, load<f32>(residuals + at) - change);
  }
}

/**
 * What a change of a group's step by a and of its min by b adds to the loss, its codes q given. With the
 * residuals e of its columns, their pivots D, and what they take over from those of the group before them, T,
 * the loss is the sum of D (e - a u + b v)^2, u = (I + T) q and v = (I + T) 1: a quadratic form.
 */
@unmanaged
class GroupLoss {
  uu: f64;
  uv: f64;
  vv: f64;
  eu: f64;
  ev: f64;

  /** Of `size` columns, f32 each. */
  measure(size: i32, pivots: usize, residuals: usize, u: usize, v: usize): void {
    this.uu = 0;
    this.uv = 0;
    this.vv = 0;
    this.eu = 0;
    this.ev = 0;
    for (let k = 0; k < size; k++) {
      const at = floatBytes(k);
      const weight = <f64>load<f32>(pivots + at);
      const e = <f64>load<f32>(residuals + at);
      const a = <f64>load<f32>(u + at);
      const b = <f64>load<f32>(v + at);
      this.uu += weight * a * a;
      this.uv += weight * a * b;
      this.vv += weight * b * b;
      this.eu += weight * e * a;
      this.ev += weight * e * b;
    }
  }

  of(a: f64, b: f64): f64 {
    return a * (a * this.uu - 2 * this.eu - 2 * b * this.uv) + b * (b * this.vv + 2 * this.ev);
  }

  /** The best change of the step beside the best one of the min, or where the min does not change. */
  bestStep(withMin: bool): f64 {
    if (!withMin) return this.uu > 0 ? this.eu / this.uu : 0;
    const determinant = this.uu * this.vv - this.uv * this.uv;
    if (!(determinant > SINGULAR * this.uu * this.vv)) return 0;
    return (this.eu * this.vv - this.ev * this.uv) / determinant;
  }

  /** The best change of the min beside one of the step. */
  bestMin(a: f64): f64 {
    return this.vv > 0 ? (a * this.uv - this.ev) / this.vv : 0;
  }
}

/** Below this share of the product of its diagonal, a determinant is rounding. */
const SINGULAR: f64 = 1e-9;

/**
 * Exchanges step and min of a group, whose present ones `grid` holds, for those that the scheme can hold and
 * that lose less; `group` counts 16 weights. Returns whether there are any.
 */
function fitGroup(scheme: i32, block: usize, group: i32, grid: usize, loss: GroupLoss): bool {
  const wanted = <f64>load<f32>(grid) + loss.bestStep(hasMins(scheme));
  return hasMultiples(scheme)
    ? fitMultiples(scheme, block, group, grid, wanted, loss)
    : fitHalves(scheme, block, grid, wanted, loss);
}

function fitHalves(scheme: i32, block: usize, grid: usize, wanted: f64, loss: GroupLoss): bool {
  const step = load<f32>(grid);
  const min = load<f32>(grid, 4);
  // The grid lends its room for the halves that they become.
  storeHalf(grid, <f32>wanted);
  const fitted = loadHalf(grid);
  const a = <f64>fitted - <f64>step;
  let fittedMin: f32 = codeLimitOf(scheme) * fitted;
  let b: f64 = 0;
  if (hasMins(scheme)) {
    storeHalf(grid, -(<f32>(<f64>min + loss.bestMin(a))));
    fittedMin = -loadHalf(grid);
    b = <f64>fittedMin - <f64>min;
  }
  store<f32>(grid, step);
  if (!(loss.of(a, b) < 0)) return false;
  setHalves(scheme, block, fitted, fittedMin);
  store<f32>(grid, fitted);
  store<f32>(grid, fittedMin, 4);
  return true;
}

/** Tries the multiples on both sides of the best step, and of the best min beside each. */
function fitMultiples(
  scheme: i32,
  block: usize,
  group: i32,
  grid: usize,
  wanted: f64,
  loss: GroupLoss,
): bool {
  const unit = stepUnit(scheme, block);
  const unitOfMin = minUnit(scheme, block);
  if (unit === 0) return false;
  const step = <f64>load<f32>(grid);
  const oldMin = <f64>load<f32>(grid, 4);
  let least: f64 = 0;
  let stepCode = 0;
  let minCode = 0;
  const lower = lowerMultiple(wanted, unit);
  for (let side = 0; side < 2; side++) {
    const code = max<i32>(leastStep(scheme), min<i32>(largestStep(scheme), lower + side));
    const a = <f64>(unit * <f32>code) - step;
    if (unitOfMin === 0) {
      const lost = loss.of(a, 0);
      if (!(lost < least)) continue;
      least = lost;
      stepCode = code;
      continue;
    }
    const lowerMin = lowerMultiple(oldMin + loss.bestMin(a), unitOfMin);
    for (let other = 0; other < 2; other++) {
      const codeOfMin = max<i32>(0, min<i32>(largestStep(scheme), lowerMin + other));
      const lost = loss.of(a, <f64>(unitOfMin * <f32>codeOfMin) - oldMin);
      if (!(lost < least)) continue;
      least = lost;
      stepCode = code;
      minCode = codeOfMin;
    }
  }
  if (!(least < 0)) return false;
  const fitted: f32 = unit * <f32>stepCode;
  setMultiples(scheme, block, group, stepCode, minCode);
  store<f32>(grid, fitted);
  store<f32>(grid, unitOfMin === 0 ? codeLimitOf(scheme) * fitted : unitOfMin * <f32>minCode, 4);
  return true;
}

/** Beyond what any scheme holds, the sign is all that matters. */
function lowerMultiple(value: f64, unit: f32): i32 {
  return <i32>max<f64>(-1000, min<f64>(1000, floor<f64>(value / <f64>unit)));
}
