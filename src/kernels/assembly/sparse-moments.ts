import { SPARSE_MOMENT_TILE } from '../tiles';
import { count, floatBytes, pointer, real } from './job';
import { addSums, rowStart } from './moment-rows';

export function sparseMoments(fields: usize, scratch: usize, first: i32, end: i32): void {
  const lists = pointer(fields, 0);
  const listStride = pointer(fields, 1);
  const columns = count(fields, 2);
  const tokens = pointer(fields, 3);
  const weight = real(fields, 4);
  const moments = pointer(fields, 5);
  const places = scratch;
  const sums = scratch + floatBytes(tokens);
  for (let tile = first; tile < end; tile++) {
    const from = tile * SPARSE_MOMENT_TILE;
    const to = min(from + SPARSE_MOMENT_TILE, columns);
    for (let t: usize = 0; t < tokens; t++) {
      store<u32>(places + floatBytes(t), <u32>entryFrom(lists + t * listStride, from));
    }
    for (let i = from; i < to; i++) {
      memory.fill(sums + floatBytes(i), 0, floatBytes(columns - i));
      let isSilent = true;
      for (let t: usize = 0; t < tokens; t++) {
        const place = places + floatBytes(t);
        const at = <usize>load<u32>(place);
        const list = lists + t * listStride;
        const listEnd = list + 8 + ((<usize>load<i32>(list)) << 3);
        if (at >= listEnd || load<i32>(at) !== i) continue;
        store<u32>(place, <u32>(at + 8));
        addProducts(at, listEnd, sums);
        isSilent = false;
      }
      if (!isSilent) addSums(rowStart(moments, columns, i), weight, sums, 0, i, columns);
    }
  }
}

/** The place of the first entry of a column from `column` on. */
function entryFrom(list: usize, column: i32): usize {
  const entries = list + 8;
  let low = 0;
  let high = load<i32>(list);
  while (low < high) {
    const middle = (low + high) >> 1;
    if (load<i32>(entries + ((<usize>middle) << 3)) < column) low = middle + 1;
    else high = middle;
  }
  return entries + ((<usize>low) << 3);
}

/** Adds the products of the first entry and each from it on to the sums of their columns. */
function addProducts(at: usize, end: usize, sums: usize): void {
  const value = load<f32>(at, 4);
  for (; at + 32 <= end; at += 32) {
    const s0 = sums + floatBytes(load<u32>(at));
    const s1 = sums + floatBytes(load<u32>(at, 8));
    const s2 = sums + floatBytes(load<u32>(at, 16));
    const s3 = sums + floatBytes(load<u32>(at, 24));
    store<f32>(s0, load<f32>(s0) + value * load<f32>(at, 4));
    store<f32>(s1, load<f32>(s1) + value * load<f32>(at, 12));
    store<f32>(s2, load<f32>(s2) + value * load<f32>(at, 20));
    store<f32>(s3, load<f32>(s3) + value * load<f32>(at, 28));
  }
  for (; at < end; at += 8) {
    const sum = sums + floatBytes(load<u32>(at));
    store<f32>(sum, load<f32>(sum) + value * load<f32>(at, 4));
  }
}
