/** e^x for x <= 0, rounded to f32. The derivation stands at the twin, plain/exp.ts. */
export function expNegative(x: f64): f32 {
  if (x < -104) return 0;
  const k = floor<f64>(x * Math.LOG2E + 0.5);
  const r = x - k * Math.LN2;
  let p: f64 = 1.0 / 40320;
  p = p * r + 1.0 / 5040;
  p = p * r + 1.0 / 720;
  p = p * r + 1.0 / 120;
  p = p * r + 1.0 / 24;
  p = p * r + 1.0 / 6;
  p = p * r + 1.0 / 2;
  p = p * r + 1;
  p = p * r + 1;
  return <f32>(p * reinterpret<f64>((<i64>k + 1023) << 52));
}
