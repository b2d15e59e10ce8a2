import type { GgufValue } from '../../../formats/gguf/container/types.ts';
import { type KeyValue, layoutGguf } from '../../../formats/gguf/container/writer.ts';
import type { PlmConfig } from '../../../src/core/config.ts';
import type { Imatrix } from '../../../src/core/imatrix.ts';
import { plmTensors } from '../../../src/core/names.ts';
import { importances } from './samples.ts';

/** Sums of squared activations by name of the matrix, and how many activations each sum has. */
export type Statistics = Readonly<
  Record<string, { readonly sums: readonly number[]; readonly count: number }>
>;

export interface GgufTensor {
  readonly name: string;
  readonly values: readonly number[];
  /** Row-major. */
  readonly shape: readonly number[];
  readonly scheme?: 'F32' | 'F16';
}

export const IMATRIX_KEYS: Readonly<Record<string, GgufValue>> = {
  'general.type': { type: 'string', value: 'imatrix' },
  'imatrix.datasets': { type: 'array', items: 'string', value: ['texts/calibration.txt'] },
  'imatrix.chunk_count': { type: 'u32', value: 7 },
  'imatrix.chunk_size': { type: 'u32', value: 512 },
};

/** Tensors of the GGUF form, as llama-imatrix writes them. */
export function imatrixTensors(statistics: Statistics): GgufTensor[] {
  return Object.entries(statistics).flatMap(([name, { sums, count }]) => [
    { name: `${name}.in_sum2`, values: sums, shape: [1, sums.length] },
    { name: `${name}.counts`, values: [count], shape: [1, 1] },
  ]);
}

export function imatrixGguf(tensors: readonly GgufTensor[], keys: object = IMATRIX_KEYS): Uint8Array {
  const entries = tensors.map(({ name, shape, scheme = 'F32' }) => ({ name, shape, scheme }) as const);
  const layout = layoutGguf(Object.entries(keys) as KeyValue[], entries);
  const bytes = new Uint8Array(layout.bytes);
  bytes.set(layout.header);
  for (const [index, { values }] of tensors.entries()) {
    bytes.set(new Uint8Array(Float32Array.from(values).buffer), layout.offsets[index]!);
  }
  return bytes;
}

/** Fields of the form before 2025: numbers are int32, lists are float32, texts are bytes alone. */
export type DatField = number | string | readonly number[];

export function datFields(statistics: Statistics): DatField[] {
  const entries = Object.entries(statistics).flatMap(([name, { sums, count }]) => [
    ...[Buffer.byteLength(name), name, count, sums.length, sums],
  ]);
  return [Object.keys(statistics).length, ...entries];
}

export function datBytes(fields: readonly DatField[]): Uint8Array {
  return Buffer.concat(
    fields.map((field) => {
      if (typeof field === 'string') return Buffer.from(field);
      return Buffer.from(
        (typeof field === 'number' ? Int32Array.of(field) : Float32Array.from(field)).buffer,
      );
    }),
  );
}

/** Random importances for every matrix of a model but the embedding. */
export function randomImatrix(config: PlmConfig, changes: Partial<Imatrix> = {}): Imatrix {
  const matrices = plmTensors(config).filter(
    ({ role, shape }) => shape.length > 1 && role !== 'embed_tokens',
  );
  const entries = matrices.map(({ ggufName, shape }, seed): [string, Float32Array] => [
    ggufName!,
    importances(shape.at(-1)!, seed),
  ]);
  return {
    name: 'plm.imatrix.gguf',
    sha256: 'ab'.repeat(32),
    entries: new Map(entries),
    datasets: ['calibration.txt'],
    chunks: 7,
    notes: [],
    ...changes,
  };
}
