import { fromHalf, toHalf } from '../schemes/half.ts';
import type { Elements, TensorValue } from './value.ts';

/** Arrays whose values are known to be those of f16. */
const HALVES = new WeakSet<Elements>();

/** The value with every element of float16 rounded to one; others as they are. */
export function rounded(value: TensorValue): TensorValue {
  if (value.type !== 'float16' || HALVES.has(value.data)) return value;
  const data = (value.data as Float32Array).map((element) => fromHalf(toHalf(element)));
  HALVES.add(data);
  return { ...value, data };
}
