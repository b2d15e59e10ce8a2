import { fromHalf } from '../schemes/half.ts';
import { ELEMENT_TYPES, type ElementType } from './graph.ts';

/** Elements in memory, row-major. A float16 is held as the f32 of the same value, a bool as 0 or 1. */
export type Elements = Float32Array | BigInt64Array | Int32Array | Int8Array | Uint8Array;

/** A tensor that goes through a graph. */
export interface TensorValue {
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly data: Elements;
}

const ARRAYS = {
  float: Float32Array,
  float16: Float32Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const satisfies Record<ElementType, unknown>;

/** Zeros. */
export function newElements(type: ElementType, count: number): Elements {
  return new ARRAYS[type](count);
}

/** Whether an array is what tensors of the type hold. */
export function holds(type: ElementType, data: unknown): data is Elements {
  return data instanceof ARRAYS[type];
}

/** Elements from their bytes in a file. The result may be a view of `bytes`. */
export function decodeElements(type: ElementType, bytes: Uint8Array): Elements {
  if (type === 'float16') return Float32Array.from(halves(bytes), fromHalf);
  const { buffer, byteOffset, byteLength } = aligned(bytes, ELEMENT_TYPES[type].bytes);
  const count = byteLength / ELEMENT_TYPES[type].bytes;
  return new ARRAYS[type](buffer as ArrayBuffer, byteOffset, count);
}

/** The bit patterns of float16. The result may be a view of `bytes`. */
export function halves(bytes: Uint8Array): Uint16Array {
  const { buffer, byteOffset, byteLength } = aligned(bytes, 2);
  return new Uint16Array(buffer, byteOffset, byteLength / 2);
}

/** Typed arrays begin at multiples of their elements' size. */
function aligned(bytes: Uint8Array, size: number): Uint8Array {
  return bytes.byteOffset % size === 0 ? bytes : Uint8Array.from(bytes);
}

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((count, size) => count * size, 1);
}

/** How far apart neighbours along each axis lie. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides: number[] = [];
  let stride = 1;
  for (const size of shape.toReversed()) {
    strides.unshift(stride);
    stride *= size;
  }
  return strides;
}
