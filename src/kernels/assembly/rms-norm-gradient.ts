import { count, floatBytes, pointer, real } from './job';

export function rmsNormGradient(fields: usize, _scratch: usize, first: i32, end: i32): void {
  const x = pointer(fields, 0);
  const xTokenBytes = floatBytes(pointer(fields, 1));
  const g = pointer(fields, 2);
  const gTokenBytes = floatBytes(pointer(fields, 3));
  const gamma = pointer(fields, 4);
  const columns = count(fields, 5);
  const epsilon = real(fields, 6);
  for (let t = <usize>first; t < <usize>end; t++) {
    differentiate(x + t * xTokenBytes, g + t * gTokenBytes, gamma, columns, epsilon);
  }
}

function differentiate(x: usize, g: usize, gamma: usize, columns: i32, epsilon: f64): void {
  const end = floatBytes(columns);
  let squares: f64 = 0;
  let products: f64 = 0;
  for (let c: usize = 0; c < end; c += 4) {
    const value = <f64>load<f32>(x + c);
    squares += value * value;
    products += value * <f64>(load<f32>(g + c) * load<f32>(gamma + c));
  }
  const scale = 1 / sqrt<f64>(squares / <f64>columns + epsilon);
  const pull = (scale * scale * scale * products) / <f64>columns;
  for (let c: usize = 0; c < end; c += 4) {
    const scaled = scale * <f64>(load<f32>(g + c) * load<f32>(gamma + c));
    store<f32>(g + c, <f32>(scaled - pull * <f64>load<f32>(x + c)));
  }
}
