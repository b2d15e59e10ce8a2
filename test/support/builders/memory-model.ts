import type { PlmConfig } from '../../../src/core/config.ts';
import type { Model } from '../../../src/core/model.ts';
import { plmTensors } from '../../../src/core/names.ts';
import { fitsScheme, type SchemeName, schemeBytes } from '../../../src/core/scheme.ts';
import { elementCount, rowBytes, type Tensor } from '../../../src/core/tensor.ts';
import { decoderOf } from '../../../src/schemes/index.ts';
import { encoderOf } from '../oracles/schemes/index.ts';
import { hollowModel } from './hollow-model.ts';
import { gaussian } from './samples.ts';

export interface MemoryModelOptions {
  readonly seed?: number;
  /** Scheme of the matrices, F32 where rows are no whole blocks; vectors are F32. Default F32. */
  readonly scheme?: SchemeName;
}

/**
 * A random PLM in memory: Gaussian weights of variance 1 / in_features, norm scales around 1, biases around
 * 0, so that activations keep their size through the layers. The same seed gives the same weights in every
 * scheme, before rounding.
 */
export function memoryModel(config: PlmConfig, options: MemoryModelOptions = {}): Model {
  const { seed = 1, scheme = 'F32' } = options;
  const next = gaussian(seed);
  const tensors = plmTensors(config).map(({ role, name, shape }): [string, Tensor] => {
    const columns = shape.at(-1)!;
    const isVector = shape.length === 1;
    const mean = isVector && role !== 'down_proj_bias' ? 1 : 0;
    const values = Float32Array.from(
      { length: elementCount({ shape }) },
      () => mean + (isVector ? 0.2 * next() : next() / Math.sqrt(columns)),
    );
    const stored = isVector || !fitsScheme(scheme, columns) ? 'F32' : scheme;
    return [name, memoryTensor(name, shape, values, stored)];
  });
  return hollowModel(config, { tensors: new Map(tensors) });
}

/** `values` encoded in `scheme`. */
export function memoryTensor(
  name: string,
  shape: readonly number[],
  values: Float32Array,
  scheme: SchemeName = 'F32',
): Tensor {
  const bytes = new Uint8Array(schemeBytes(scheme, values.length));
  encoderOf(scheme)(values, 0, bytes, 0, values.length);
  return storedTensor(name, shape, bytes, scheme);
}

/**
 * A tensor of bytes that are stored already. They are read when asked for: damage done to them later shows.
 */
export function storedTensor(
  name: string,
  shape: readonly number[],
  bytes: Uint8Array,
  scheme: SchemeName,
): Tensor {
  return {
    name,
    scheme,
    shape,
    origin: { file: 0, offset: 0 },
    rowStep: 1,
    async readRows({ first, count }, into) {
      const size = rowBytes({ shape, scheme });
      into.set(bytes.subarray(first * size, (first + count) * size));
    },
  };
}

/** A copy of `model` with some tensors replaced. */
export function withTensors(model: Model, ...changed: Tensor[]): Model {
  return {
    ...model,
    tensors: new Map([...model.tensors, ...changed.map((tensor): [string, Tensor] => [tensor.name, tensor])]),
  };
}

/** All bytes of a tensor as they are stored. */
export async function storedBytes(tensor: Tensor): Promise<Uint8Array> {
  const rows = elementCount(tensor) / tensor.shape.at(-1)!;
  const bytes = new Uint8Array(rows * rowBytes(tensor));
  await tensor.readRows({ first: 0, count: rows }, bytes);
  return bytes;
}

/** All values of a tensor. */
export async function tensorValues(tensor: Tensor): Promise<Float32Array> {
  const values = new Float32Array(elementCount(tensor));
  decoderOf(tensor.scheme)(await storedBytes(tensor), 0, values, 0, values.length);
  return values;
}
