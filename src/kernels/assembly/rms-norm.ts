import { count, floatBytes, pointer, real } from './job';
import { loadPartial, storePartial } from './vector';

export function rmsNorm(fields: usize, _scratch: usize, first: i32, end: i32): void {
  const x = pointer(fields, 0);
  const xTokenBytes = floatBytes(pointer(fields, 1));
  const y = pointer(fields, 2);
  const yTokenBytes = floatBytes(pointer(fields, 3));
  const gamma = pointer(fields, 4);
  const columns = count(fields, 5);
  const epsilon = real(fields, 6);
  for (let t = <usize>first; t < <usize>end; t++) {
    normalize(x + t * xTokenBytes, y + t * yTokenBytes, gamma, columns, epsilon);
  }
}

function normalize(x: usize, y: usize, gamma: usize, columns: i32, epsilon: f64): void {
  const end = floatBytes(columns);
  let sum: f64 = 0;
  for (let c: usize = 0; c < end; c += 4) {
    const value = <f64>load<f32>(x + c);
    sum += value * value;
  }
  const scale = f32x4.splat(<f32>(1 / sqrt<f64>(sum / <f64>columns + epsilon)));
  const whole = floatBytes(columns & ~3);
  for (let c: usize = 0; c < whole; c += 16) {
    v128.store(y + c, f32x4.mul(f32x4.mul(v128.load(x + c), scale), v128.load(gamma + c)));
  }
  const rest = columns & 3;
  if (rest !== 0) {
    const scaled = f32x4.mul(loadPartial(x + whole, rest), scale);
    storePartial(y + whole, f32x4.mul(scaled, loadPartial(gamma + whole, rest)), rest);
  }
}
