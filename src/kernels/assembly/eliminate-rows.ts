import { ELIMINATION_TILE } from '../tiles';
import { count, pointer } from './job';

export function eliminateRows(fields: usize, _scratch: usize, first: i32, end: i32): void {
  const triangle = pointer(fields, 0);
  const from = count(fields, 1);
  const to = count(fields, 2);
  const firstRow = count(fields, 3);
  const lastRow = firstRow + count(fields, 4);
  for (let tile = first; tile < end; tile++) {
    const row = firstRow + tile * ELIMINATION_TILE;
    if (row + ELIMINATION_TILE <= lastRow) eliminateTile(triangle, row, from, to);
    else for (let i = row; i < lastRow; i++) eliminateRow(triangle, i, from, to);
  }
}

/** Where row i of the triangle lies. */
function rowAt(triangle: usize, i: i32): usize {
  return triangle + ((<usize>((<i64>i * <i64>(i + 1)) >> 1)) << 3);
}

function eliminateRow(triangle: usize, i: i32, from: i32, to: i32): void {
  const row = rowAt(triangle, i);
  for (let j = from; j < to; j++) {
    const lower = rowAt(triangle, j);
    let sums = f64x2.splat(0);
    const even = (<usize>(j & ~1)) << 3;
    for (let k: usize = 0; k < even; k += 16) {
      sums = f64x2.add(sums, f64x2.mul(v128.load(row + k), v128.load(lower + k)));
    }
    finish(row, lower, j, sums);
  }
}

/** Eight rows share what is read of the one that they are freed of. */
function eliminateTile(triangle: usize, i: i32, from: i32, to: i32): void {
  const a = rowAt(triangle, i);
  const b = rowAt(triangle, i + 1);
  const c = rowAt(triangle, i + 2);
  const d = rowAt(triangle, i + 3);
  const e = rowAt(triangle, i + 4);
  const f = rowAt(triangle, i + 5);
  const g = rowAt(triangle, i + 6);
  const h = rowAt(triangle, i + 7);
  for (let j = from; j < to; j++) {
    const lower = rowAt(triangle, j);
    let sa = f64x2.splat(0);
    let sb = sa;
    let sc = sa;
    let sd = sa;
    let se = sa;
    let sf = sa;
    let sg = sa;
    let sh = sa;
    const even = (<usize>(j & ~1)) << 3;
    for (let k: usize = 0; k < even; k += 16) {
      const value = v128.load(lower + k);
      sa = f64x2.add(sa, f64x2.mul(v128.load(a + k), value));
      sb = f64x2.add(sb, f64x2.mul(v128.load(b + k), value));
      sc = f64x2.add(sc, f64x2.mul(v128.load(c + k), value));
      sd = f64x2.add(sd, f64x2.mul(v128.load(d + k), value));
      se = f64x2.add(se, f64x2.mul(v128.load(e + k), value));
      sf = f64x2.add(sf, f64x2.mul(v128.load(f + k), value));
      sg = f64x2.add(sg, f64x2.mul(v128.load(g + k), value));
      sh = f64x2.add(sh, f64x2.mul(v128.load(h + k), value));
    }
    finish(a, lower, j, sa);
    finish(b, lower, j, sb);
    finish(c, lower, j, sc);
    finish(d, lower, j, sd);
    finish(e, lower, j, se);
    finish(f, lower, j, sf);
    finish(g, lower, j, sg);
    finish(h, lower, j, sh);
  }
}

/**
 * Column j of a row: what the sums of pairs, and the last column of an odd number, leave of it over the
 * pivot.
 */
function finish(row: usize, lower: usize, j: i32, sums: v128): void {
  const at = (<usize>j) << 3;
  let sum = f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1);
  if ((j & 1) !== 0) sum += load<f64>(row + at - 8) * load<f64>(lower + at - 8);
  store<f64>(row + at, (load<f64>(row + at) - sum) / load<f64>(lower + at));
}
