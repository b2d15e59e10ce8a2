import { count, floatBytes, pointer } from './job';

export function rope(fields: usize, _scratch: usize, first: i32, end: i32): void {
  const x = pointer(fields, 0);
  const tokenBytes = floatBytes(pointer(fields, 1));
  const headBytes = floatBytes(pointer(fields, 2));
  const heads = count(fields, 3);
  const dim = count(fields, 4);
  const table = pointer(fields, 5);
  const position = pointer(fields, 6);
  const interleaved = count(fields, 7);

  const step: usize = interleaved !== 0 ? 8 : 4;
  const distance: usize = interleaved !== 0 ? 4 : floatBytes(dim >> 1);
  for (let t = <usize>first; t < <usize>end; t++) {
    const angles = table + (position + t) * floatBytes(dim);
    for (let h: usize = 0; h < <usize>heads; h++) {
      rotate(x + t * tokenBytes + h * headBytes, angles, dim >> 1, step, distance);
    }
  }
}

function rotate(x: usize, angles: usize, pairs: i32, step: usize, distance: usize): void {
  for (let i = 0; i < pairs; i++) {
    const cos = load<f32>(angles);
    const sin = load<f32>(angles, 4);
    const a = load<f32>(x);
    const b = load<f32>(x + distance);
    store<f32>(x, a * cos - b * sin);
    store<f32>(x + distance, a * sin + b * cos);
    angles += 8;
    x += step;
  }
}
