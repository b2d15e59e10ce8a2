/** How rows of the grids of the IQ schemes become weights. */

/** Signs of 8 weights from 7 bits: the eighth makes the number of negative ones even. */
export function evenSigns(seven: u32): u32 {
  return seven | ((<u32>popcnt<u32>(seven) & 1) << 7);
}

/** Scale of IQ2 and IQ3_XXS: `part` of a step of d for each code, half a step above. */
export function halfStepScale(d: f32, code: u32, part: f32): f32 {
  return d * (<f32>0.5 + <f32>code) * part;
}

/** Writes 8 values times `scale`, with the 8 bits of `signs`. */
export function storeSigned8(target: usize, row: usize, signs: u32, scale: f32): void {
  const words = i16x8.extend_low_i8x16_s(v128.load64_zero(row));
  storeSigned(target, i32x4.extend_low_i16x8_s(words), signs, scale);
  storeSigned(target + 16, i32x4.extend_high_i16x8_s(words), signs >> 4, scale);
}

/** Writes 4 values times `scale`, with the 4 lowest bits of `signs`. */
export function storeSigned4(target: usize, row: usize, signs: u32, scale: f32): void {
  const words = i16x8.extend_low_i8x16_s(v128.load32_zero(row));
  storeSigned(target, i32x4.extend_low_i16x8_s(words), signs, scale);
}

function storeSigned(target: usize, values: v128, signs: u32, scale: f32): void {
  const bits = v128.and(i32x4.splat(signs), i32x4(1, 2, 4, 8));
  const negative = v128.and(i32x4.ne(bits, i32x4.splat(0)), i32x4.splat(<i32>0x80000000));
  const product = f32x4.mul(f32x4.splat(scale), f32x4.convert_i32x4_s(values));
  v128.store(target, v128.xor(product, negative));
}

/** Writes 8 values of IQ1, moved by `shift`, times `scale`. */
export function storeShifted8(target: usize, row: usize, shift: f32, scale: f32): void {
  const words = i16x8.extend_low_i8x16_s(v128.load64_zero(row));
  storeShifted(target, i32x4.extend_low_i16x8_s(words), shift, scale);
  storeShifted(target + 16, i32x4.extend_high_i16x8_s(words), shift, scale);
}

function storeShifted(target: usize, values: v128, shift: f32, scale: f32): void {
  const moved = f32x4.add(f32x4.convert_i32x4_s(values), f32x4.splat(shift));
  v128.store(target, f32x4.mul(f32x4.splat(scale), moved));
}
