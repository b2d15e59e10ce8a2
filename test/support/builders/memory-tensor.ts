import type { SchemeName } from '../../../src/core/scheme.ts';
import { type Origin, rowBytes, type Tensor } from '../../../src/core/tensor.ts';
import { encoderOf } from '../oracles/schemes/index.ts';

/** A tensor of these values, stored in `scheme`. */
export function memoryTensor(
  values: Float32Array,
  { name = 'w', scheme, shape, origin = { file: 0, offset: 0 } }: MemoryTensorOptions,
): Tensor {
  const layout = { shape, scheme };
  const stored = new Uint8Array(rowBytes(layout) * shape.slice(0, -1).reduce((rows, n) => rows * n, 1));
  encoderOf(scheme)(values, 0, stored, 0, values.length);
  return {
    name,
    scheme,
    shape,
    origin,
    rowStep: 1,
    async readRows(range, into) {
      const start = range.first * rowBytes(layout);
      into.set(stored.subarray(start, start + into.length));
    },
  };
}

interface MemoryTensorOptions {
  readonly name?: string;
  readonly scheme: SchemeName;
  readonly shape: readonly number[];
  readonly origin?: Origin;
}
