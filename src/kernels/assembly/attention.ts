import { storeScores, sumScaled } from './attention-rows';
import { exponentiate, scaleBy } from './exponentials';
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
    sumScaled(target, valueDim, scratch, values + h * valueHeadBytes, valueBytes, length);
    scaleBy(target, valueDim, <f32>(1 / sum));
  }
}
