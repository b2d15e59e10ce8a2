import { count, floatBytes, pointer } from './job';

export function listNonzeros(fields: usize, _scratch: usize, first: i32, end: i32): void {
  const x = pointer(fields, 0);
  const tokenBytes = floatBytes(pointer(fields, 1));
  const columns = count(fields, 2);
  const lists = pointer(fields, 4);
  const listStride = pointer(fields, 5);
  for (let t = <usize>first; t < <usize>end; t++) {
    listToken(x + t * tokenBytes, columns, lists + t * listStride, listStride);
  }
}

function listToken(x: usize, columns: i32, list: usize, bytes: usize): void {
  const end = list + bytes;
  let at = list + 8;
  let found = 0;
  for (let c = 0; c < columns; c++, x += 4) {
    const value = load<f32>(x);
    if (at < end) {
      // Written in any case: the next one replaces a zero.
      store<i32>(at, c);
      store<f32>(at, value, 4);
    }
    const isListed = value !== 0;
    at += (<usize>isListed) << 3;
    found += i32(isListed);
  }
  store<i32>(list, found);
}
