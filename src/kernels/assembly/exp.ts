/**
 * e^x for x <= 0, rounded to f32: x = k ln 2 + r with |r| <= ln 2 / 2, then the Taylor polynomial of degree 8
 * in f64. Its remainder, r^9/9! < 2.1e-10, is 1/280 of half an ulp of f32; k ln 2 errs by less than 2e-14.
 * Below -104 even the smallest denormal is too large.
 */
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
