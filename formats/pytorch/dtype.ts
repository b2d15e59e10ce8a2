import type { SchemeName } from '../../src/core/scheme.ts';

/** Classes of storages without the ending `Storage`, and the bytes of an element of each. */
const ELEMENT_BYTES = {
  Float: 4,
  Half: 2,
  BFloat16: 2,
  Double: 8,
  Long: 8,
  Int: 4,
  Short: 2,
  Char: 1,
  Byte: 1,
  Bool: 1,
  ComplexFloat: 8,
  ComplexDouble: 16,
  QInt8: 1,
  QUInt8: 1,
  QInt32: 4,
} as const;

export type Dtype = keyof typeof ELEMENT_BYTES;

const SCHEMES: { readonly [D in Dtype]?: SchemeName } = { Float: 'F32', Half: 'F16', BFloat16: 'BF16' };

/** The dtype of a class of storages; undefined where it is none. */
export function dtypeOfStorage(className: string): Dtype | undefined {
  const name = className.replace(/Storage$/, '');
  return name !== className && Object.hasOwn(ELEMENT_BYTES, name) ? (name as Dtype) : undefined;
}

export function elementBytes(dtype: Dtype): number {
  return ELEMENT_BYTES[dtype];
}

/** The scheme that holds the same bytes; undefined for dtypes in which no weights are read. */
export function schemeOfDtype(dtype: Dtype): SchemeName | undefined {
  return SCHEMES[dtype];
}
