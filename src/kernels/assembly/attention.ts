import { addFourScaled, addScaled } from './add-scaled';
import { dot } from './dot';
import { expNegative } from './exp';
import { count, floatBytes, pointer, real } from './job';

export function attention(fields: usize, scratch: usize, first: i32, end: i32): void {
  const q = pointer(fields, 0);
  const qTokenBytes = floatBytes(pointer(fields, 1));
  const qHeadBytes = floatBytes(pointer(fields, 2));
  const keys = pointer(fields, 3);
  const keyBytes = floatBytes(pointer(fields, 4));
  const keyHeadBytes = floatBytes(pointer(fields, 5));
  const keyDim = count(fields, 6);
  const values = pointer(fields, 7);
  const valueBytes = floatBytes(pointer(fields, 8));
  const valueHeadBytes = floatBytes(pointer(fields, 9));
  const valueDim = count(fields, 10);
  const out = pointer(fields, 11);
  const outTokenBytes = floatBytes(pointer(fields, 12));
  const outHeadBytes = floatBytes(pointer(fields, 13));
  const heads = count(fields, 14);
  const position = count(fields, 16);
  const scale = <f32>real(fields, 17);

  for (let tile = first; tile < end; tile++) {
    const t = <usize>(tile / heads);
    const h = <usize>(tile % heads);
    const length = position + <i32>t + 1;
    const query = q + t * qTokenBytes + h * qHeadBytes;
    const target = out + t * outTokenBytes + h * outHeadBytes;
    storeScores(scratch, query, keys + h * keyHeadBytes, keyBytes, keyDim, length, scale);
    const sum = exponentiate(scratch, length);
    sumValues(target, values + h * valueHeadBytes, valueBytes, valueDim, scratch, length);
    const inverse = <f32>(1 / sum);
    for (let c: usize = 0; c < floatBytes(valueDim); c += 4) {
      store<f32>(target + c, load<f32>(target + c) * inverse);
    }
  }
}

function storeScores(
  scores: usize,
  query: usize,
  key: usize,
  keyBytes: usize,
  keyDim: i32,
  length: i32,
  scale: f32,
): void {
  for (let s = 0; s < length; s++) {
    store<f32>(scores + floatBytes(s), scale * dot(query, key, keyDim));
    key += keyBytes;
  }
}

/** Turns scores into e^(score - largest); returns their sum. */
function exponentiate(scores: usize, length: i32): f64 {
  const end = scores + floatBytes(length);
  let largest: f32 = -Infinity;
  for (let p = scores; p < end; p += 4) largest = max<f32>(largest, load<f32>(p));
  let sum: f64 = 0;
  for (let p = scores; p < end; p += 4) {
    const weight = expNegative(<f64>(load<f32>(p) - largest));
    store<f32>(p, weight);
    sum += <f64>weight;
  }
  return sum;
}

/** target = sum of weight times value, in ascending position. */
function sumValues(
  target: usize,
  value: usize,
  valueBytes: usize,
  valueDim: i32,
  weights: usize,
  length: i32,
): void {
  memory.fill(target, 0, floatBytes(valueDim));
  let s = 0;
  for (; s + 4 <= length; s += 4) {
    const w = weights + floatBytes(s);
    addFourScaled(
      target,
      valueDim,
      load<f32>(w),
      load<f32>(w, 4),
      load<f32>(w, 8),
      load<f32>(w, 12),
      value,
      value + valueBytes,
      value + 2 * valueBytes,
      value + 3 * valueBytes,
    );
    value += 4 * valueBytes;
  }
  for (; s < length; s++) {
    addScaled(target, valueDim, load<f32>(weights + floatBytes(s)), value);
    value += valueBytes;
  }
}
