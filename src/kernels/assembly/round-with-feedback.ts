import { loadHalf } from './half';
import { count, floatBytes, pointer } from './job';
import { decodeRow } from './rows';
import { encodeQ4_0 } from './schemes/q4_0';
import { nearestInt } from './search/nearest-int';

const ROW_TILE: i32 = 4;
const BLOCK_SIZE: i32 = 32;
const BLOCK_BYTES: usize = 18;
const BLOCK_FLOATS: usize = 128;

export function roundWithFeedback(fields: usize, scratch: usize, first: i32, end: i32): void {
  const source = pointer(fields, 0);
  const sourceScheme = count(fields, 1);
  const sourceRowBytes = pointer(fields, 2);
  const target = pointer(fields, 3);
  const targetRowBytes = pointer(fields, 4);
  const rows = count(fields, 5);
  const columns = count(fields, 6);
  const importance = pointer(fields, 7);
  const factor = pointer(fields, 8);

  const rowFloats = floatBytes(columns);
  const originals = scratch;
  const corrected = scratch + <usize>ROW_TILE * rowFloats;
  const search = corrected + <usize>ROW_TILE * rowFloats;
  for (let tile = first; tile < end; tile++) {
    const r = tile * ROW_TILE;
    const tileRows = <usize>min<i32>(ROW_TILE, rows - r);
    for (let i: usize = 0; i < tileRows; i++) {
      const row = originals + i * rowFloats;
      decodeRow(sourceScheme, source + (<usize>r + i) * sourceRowBytes, row, columns);
      memory.copy(corrected + i * rowFloats, row, rowFloats);
    }
    const targetRow = target + <usize>r * targetRowBytes;
    let weights = importance;
    let coefficients = factor;
    for (let c = 0; c < columns; c += BLOCK_SIZE) {
      const block = targetRow + <usize>(c / BLOCK_SIZE) * BLOCK_BYTES;
      const column = floatBytes(c);
      for (let i: usize = 0; i < tileRows; i++) {
        encodeQ4_0(
          corrected + i * rowFloats + column,
          block + i * targetRowBytes,
          BLOCK_SIZE,
          search,
          weights,
        );
      }
      for (let j = 0; j < BLOCK_SIZE; j++) {
        const at = column + floatBytes(j);
        const rest = columns - c - j - 1;
        for (let i: usize = 0; i < tileRows; i++) {
          const value = corrected + i * rowFloats + at;
          const error = roundCode(
            block + i * targetRowBytes,
            j,
            load<f32>(value),
            load<f32>(originals + i * rowFloats + at),
          );
          spread(value + 4, coefficients, rest, error);
        }
        coefficients += floatBytes(rest);
      }
      if (weights !== 0) weights += BLOCK_FLOATS;
    }
  }
}

/** Writes the code of column `j` of a block, nearest to `value`, and returns what the original weight is above it. */
function roundCode(block: usize, j: i32, value: f32, original: f32): f32 {
  const d = loadHalf(block);
  const inverse: f32 = d === 0 ? 0 : 1 / d;
  const code = max<i32>(-8, min<i32>(7, nearestInt(value * inverse)));
  const byte = block + 2 + (j & 15);
  const nibbles = <i32>load<u8>(byte);
  store<u8>(byte, j < 16 ? (nibbles & 0xf0) | (code + 8) : (nibbles & 15) | ((code + 8) << 4));
  return original - <f32>code * d;
}

/** Adds `error` times a coefficient to each of `count` values. */
function spread(values: usize, coefficients: usize, count: i32, error: f32): void {
  const factor = f32x4.splat(error);
  const whole = count & ~3;
  for (let k = 0; k < whole; k += 4) {
    const at = floatBytes(k);
    const sum = f32x4.add(v128.load(values + at), f32x4.mul(factor, v128.load(coefficients + at)));
    v128.store(values + at, sum);
  }
  for (let k = whole; k < count; k++) {
    const at = floatBytes(k);
    store<f32>(values + at, load<f32>(values + at) + error * load<f32>(coefficients + at));
  }
}
