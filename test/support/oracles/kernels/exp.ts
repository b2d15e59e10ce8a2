const SCALE = new Float64Array(1);
const SCALE_WORDS = new Int32Array(SCALE.buffer);
/** Which half of a double holds the exponent. */
const HIGH_WORD = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? 1 : 0;

/** e^x for x <= 0, rounded to f32, written out because `Math.exp` may differ from engine to engine. */
export function expNegative(x: number): number {
  if (x < -104) return 0;
  const k = Math.floor(x * Math.LOG2E + 0.5);
  const r = x - k * Math.LN2;
  let p = 1 / 40320;
  p = p * r + 1 / 5040;
  p = p * r + 1 / 720;
  p = p * r + 1 / 120;
  p = p * r + 1 / 24;
  p = p * r + 1 / 6;
  p = p * r + 1 / 2;
  p = p * r + 1;
  p = p * r + 1;
  SCALE_WORDS[HIGH_WORD] = (k + 1023) << 20;
  return Math.fround(p * SCALE[0]!);
}
