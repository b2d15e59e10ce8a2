import { ELEMENT_TYPES, type ElementType, type Initializer, isExternal, type ValueInfo } from '../graph.ts';
import { decodeElements, type TensorValue } from '../value.ts';
import { type Extent, named } from './extent.ts';

/** What is known of a value before it is computed. */
export interface ValueType {
  readonly type: ElementType;
  /** Undefined: of any rank. */
  readonly shape: readonly Extent[] | undefined;
  /** Elements of an integer scalar or vector, as far as they are known: shapes are computed in the graph. */
  readonly contents?: readonly Extent[] | undefined;
}

/** A longer vector is not a shape. */
const MAX_CONTENTS = 64;

export function typeOfInput({ type, shape }: ValueInfo): ValueType {
  return {
    type,
    shape: shape?.map((dimension) => (typeof dimension === 'string' ? named(dimension) : dimension)),
  };
}

/** Bytes of the elements of an initializer. */
export function initializerBytes({ type, shape }: Pick<Initializer, 'type' | 'shape'>): number {
  return shape.reduce((bytes, size) => bytes * size, ELEMENT_TYPES[type].bytes);
}

export function typeOfInitializer(initializer: Initializer): ValueType {
  const { type, shape, data } = initializer;
  if (isExternal(data) || !mayBeShape(type, shape)) return { type, shape };
  return typeOfValue({ type, shape, data: decodeElements(type, data) });
}

export function typeOfValue({ type, shape, data }: TensorValue): ValueType {
  return mayBeShape(type, shape) ? { type, shape, contents: Array.from(data, Number) } : { type, shape };
}

function mayBeShape(type: ElementType, shape: readonly number[]): boolean {
  return (type === 'int64' || type === 'int32') && shape.length < 2 && (shape[0] ?? 1) <= MAX_CONTENTS;
}
