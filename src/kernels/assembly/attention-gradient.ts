import { addScaled } from './add-scaled';
import { storeScores, sumScaled } from './attention-rows';
import { dot } from './dot';
import { exponentiate, scaleBy } from './exponentials';
import { count, floatBytes, pointer, real } from './job';

export function attentionGradient(fields: usize, scratch: usize, first: i32, end: i32): void {
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
  const g = pointer(fields, 11);
  const gTokenBytes = floatBytes(pointer(fields, 12));
  const gHeadBytes = floatBytes(pointer(fields, 13));
  const gq = pointer(fields, 14);
  const gKeys = pointer(fields, 15);
  const gValues = pointer(fields, 16);
  const heads = count(fields, 17);
  const tokens = count(fields, 18);
  const scale = <f32>real(fields, 19);

  const gKeyBytes = <usize>heads * floatBytes(keyDim);
  const gValueBytes = <usize>heads * floatBytes(valueDim);
  const weights = scratch;
  const slopes = scratch + floatBytes(tokens);
  for (let h = <usize>first; h < <usize>end; h++) {
    const headKeys = keys + h * keyHeadBytes;
    const headValues = values + h * valueHeadBytes;
    const headGq = gq + h * floatBytes(keyDim);
    const headGKeys = gKeys + h * floatBytes(keyDim);
    const headGValues = gValues + h * floatBytes(valueDim);
    for (let t: usize = 0; t < <usize>tokens; t++) {
      const length = <i32>t + 1;
      const query = q + t * qTokenBytes + h * qHeadBytes;
      const out = g + t * gTokenBytes + h * gHeadBytes;
      storeScores(weights, query, headKeys, keyBytes, keyDim, length, scale);
      scaleBy(weights, length, <f32>(1 / exponentiate(weights, length)));
      storeSlopes(slopes, weights, out, headValues, valueBytes, valueDim, length, scale);
      // The gradient of position t begins here: no earlier query has seen it.
      memory.fill(headGKeys + t * gKeyBytes, 0, floatBytes(keyDim));
      memory.fill(headGValues + t * gValueBytes, 0, floatBytes(valueDim));
      addToEach(headGKeys, gKeyBytes, keyDim, slopes, query, length);
      addToEach(headGValues, gValueBytes, valueDim, weights, out, length);
      sumScaled(headGq + t * gKeyBytes, keyDim, slopes, headKeys, keyBytes, length);
    }
  }
}

/** Of the loss by the dot product of the query with each key. */
function storeSlopes(
  slopes: usize,
  weights: usize,
  out: usize,
  value: usize,
  valueBytes: usize,
  valueDim: i32,
  length: i32,
  scale: f32,
): void {
  let mean: f64 = 0;
  for (let s: usize = 0; s < <usize>length; s++) {
    const slope = dot(out, value + s * valueBytes, valueDim);
    store<f32>(slopes + floatBytes(s), slope);
    mean += <f64>load<f32>(weights + floatBytes(s)) * <f64>slope;
  }
  for (let s: usize = 0; s < <usize>length; s++) {
    const at = slopes + floatBytes(s);
    const excess = <f32>(<f64>load<f32>(at) - mean);
    store<f32>(at, scale * load<f32>(weights + floatBytes(s)) * excess);
  }
}

/** Row s += factor s times x. */
function addToEach(rows: usize, rowBytes: usize, columns: i32, factors: usize, x: usize, length: i32): void {
  for (let s: usize = 0; s < <usize>length; s++) {
    addScaled(rows + s * rowBytes, columns, load<f32>(factors + floatBytes(s)), x);
  }
}
