import { MOMENT_BLOCK, MOMENT_STRIPE, MOMENT_TILE, MOMENT_TOKENS } from '../tiles';
import { count, floatBytes, pointer, real } from './job';
import { addSums, rowStart } from './moment-rows';

/** Bytes of a token in the packed block. */
const ROW_BYTES: usize = 4 * MOMENT_BLOCK;
const BLOCK_BYTES: usize = <usize>MOMENT_TOKENS * ROW_BYTES;
/** A place and a value for each token, then how many there are. */
const LIST_BYTES: usize = 8 * MOMENT_TOKENS + 8;

export function secondMoments(fields: usize, scratch: usize, first: i32, end: i32): void {
  const x = pointer(fields, 0);
  const tokenBytes = floatBytes(pointer(fields, 1));
  const columns = count(fields, 2);
  const tokens = count(fields, 3);
  const weight = real(fields, 4);
  const moments = pointer(fields, 5);
  const sums = scratch;
  const blocks = sums + ROW_BYTES;
  const lists = blocks + BLOCK_BYTES * (MOMENT_STRIPE / MOMENT_BLOCK);
  for (let tile = first; tile < end; tile++) {
    const from = tile * MOMENT_TILE;
    const to = min(from + MOMENT_TILE, columns);
    for (let t = 0; t < tokens; t += MOMENT_TOKENS) {
      const batch = x + <usize>t * tokenBytes;
      const batchTokens = min(tokens - t, MOMENT_TOKENS);
      for (let i = from; i < to; i++) {
        listTokens(batch + floatBytes(i), tokenBytes, batchTokens, lists + <usize>(i - from) * LIST_BYTES);
      }
      for (let stripe = from; stripe < columns; stripe += MOMENT_STRIPE) {
        const stripeEnd = min(stripe + MOMENT_STRIPE, columns);
        let block = blocks;
        for (let column = stripe; column < stripeEnd; column += MOMENT_BLOCK, block += BLOCK_BYTES) {
          const width = min(MOMENT_BLOCK, stripeEnd - column);
          packBlock(batch + floatBytes(column), tokenBytes, batchTokens, width, block);
        }
        const last = min(to, stripeEnd);
        for (let i = from; i < last; i++) {
          const list = lists + <usize>(i - from) * LIST_BYTES;
          const row = rowStart(moments, columns, i);
          block = blocks;
          for (let column = stripe; column < stripeEnd; column += MOMENT_BLOCK, block += BLOCK_BYTES) {
            if (i >= column + MOMENT_BLOCK) continue;
            // Two calls of one function: one alone is inlined here, and then V8 unrolls its loop, which costs a
            // third of the speed.
            if (i > column || column + MOMENT_BLOCK > stripeEnd) {
              sumBlock(list, block, sums);
              addSums(row, weight, sums, column, max(i, column), min(column + MOMENT_BLOCK, stripeEnd));
            } else {
              sumBlock(list, block, sums);
              addSums(row, weight, sums, column, column, column + MOMENT_BLOCK);
            }
          }
        }
      }
    }
  }
}

/** The tokens for which a column is not zero: where each lies in the packed block, and its value. */
function listTokens(x: usize, tokenBytes: usize, tokens: i32, list: usize): void {
  let at = list + 8;
  for (let t = 0; t < tokens; t++, x += tokenBytes) {
    const value = load<f32>(x);
    store<u32>(at, <u32>(<usize>t * ROW_BYTES));
    store<f32>(at, value, 4);
    if (value !== 0) at += 8;
  }
  store<u32>(list, <u32>(at - list - 8));
}

/** Copies `width` columns of all tokens side by side, with zeros up to a whole block. */
function packBlock(x: usize, tokenBytes: usize, tokens: i32, width: i32, block: usize): void {
  if (width < MOMENT_BLOCK) memory.fill(block, 0, <usize>tokens * ROW_BYTES);
  for (let t = 0; t < tokens; t++, x += tokenBytes, block += ROW_BYTES) {
    if (width < MOMENT_BLOCK) memory.copy(block, x, floatBytes(width));
    else for (let c: usize = 0; c < ROW_BYTES; c += 16) v128.store(block + c, v128.load(x + c));
  }
}

/** Sums of a block's columns, times the values of a list: in f32, in the order of tokens. */
function sumBlock(list: usize, block: usize, sums: usize): void {
  let s0 = f32x4.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  let s4 = s0;
  let s5 = s0;
  let s6 = s0;
  let s7 = s0;
  const end = list + 8 + <usize>load<u32>(list);
  for (let at = list + 8; at < end; at += 8) {
    const row = block + <usize>load<u32>(at);
    const value = v128.load32_splat(at, 4);
    s0 = f32x4.add(s0, f32x4.mul(value, v128.load(row)));
    s1 = f32x4.add(s1, f32x4.mul(value, v128.load(row, 16)));
    s2 = f32x4.add(s2, f32x4.mul(value, v128.load(row, 32)));
    s3 = f32x4.add(s3, f32x4.mul(value, v128.load(row, 48)));
    s4 = f32x4.add(s4, f32x4.mul(value, v128.load(row, 64)));
    s5 = f32x4.add(s5, f32x4.mul(value, v128.load(row, 80)));
    s6 = f32x4.add(s6, f32x4.mul(value, v128.load(row, 96)));
    s7 = f32x4.add(s7, f32x4.mul(value, v128.load(row, 112)));
  }
  v128.store(sums, s0);
  v128.store(sums, s1, 16);
  v128.store(sums, s2, 32);
  v128.store(sums, s3, 48);
  v128.store(sums, s4, 64);
  v128.store(sums, s5, 80);
  v128.store(sums, s6, 96);
  v128.store(sums, s7, 112);
}
