import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readGguf } from '../../../formats/gguf/container/reader.ts';
import type { GgufValue } from '../../../formats/gguf/container/types.ts';
import { type KeyValue, layoutGguf, type TensorEntry } from '../../../formats/gguf/container/writer.ts';
import { SCHEMES, type SchemeName } from '../../../src/core/scheme.ts';
import { byteLength } from '../../../src/core/tensor.ts';
import { memorySource } from '../../support/builders/raw-gguf.ts';
import { uniform } from '../../support/builders/samples.ts';

const VALUES: readonly GgufValue[] = [
  { type: 'u8', value: 255 },
  { type: 'i8', value: -128 },
  { type: 'u16', value: 65_535 },
  { type: 'i16', value: -32_768 },
  { type: 'u32', value: 2 ** 32 - 1 },
  { type: 'i32', value: -(2 ** 31) },
  { type: 'f32', value: Math.fround(1e-6) },
  { type: 'bool', value: true },
  { type: 'bool', value: false },
  { type: 'string', value: 'naïve 漢字 \u0000 🚀' },
  { type: 'string', value: '' },
  { type: 'u64', value: 2n ** 64n - 1n },
  { type: 'i64', value: -(2n ** 63n) },
  { type: 'f64', value: Number.MIN_VALUE },
  { type: 'array', items: 'i32', value: [1, -2, 3] },
  { type: 'array', items: 'u64', value: [0n, 2n ** 64n - 1n] },
  { type: 'array', items: 'bool', value: [true, false] },
  { type: 'array', items: 'string', value: ['a', '', 'ß'] },
  { type: 'array', items: 'f64', value: [] },
  {
    type: 'array',
    items: 'array',
    value: [
      { type: 'array', items: 'u8', value: [1, 2] },
      { type: 'array', items: 'array', value: [{ type: 'array', items: 'string', value: ['deep'] }] },
    ],
  },
];

/** A whole file in memory, its data zero. */
function fileOf(metadata: readonly KeyValue[], entries: readonly TensorEntry[]): Uint8Array {
  const layout = layoutGguf(metadata, entries);
  const bytes = new Uint8Array(layout.bytes);
  bytes.set(layout.header);
  return bytes;
}

function randomEntries(seed: number): TensorEntry[] {
  const next = uniform(seed);
  const below = (n: number) => Math.floor(next() * n);
  const schemes = Object.keys(SCHEMES) as SchemeName[];
  return Array.from({ length: below(12) }, (_, i) => {
    const scheme = schemes[below(schemes.length)]!;
    const columns = SCHEMES[scheme].blockSize * (1 + below(3));
    const outer = Array.from({ length: below(4) }, () => 1 + below(5));
    return { name: `tensor.${i}`, scheme, shape: [...outer, columns] };
  });
}

describe('layoutGguf', () => {
  it('writes every value type as readGguf reads it, in order', async () => {
    const metadata = VALUES.map((value, i): KeyValue => [`test.key_${i}`, value]);
    const file = await readGguf(memorySource(fileOf(metadata, [])));
    assert.deepEqual([...file.metadata], metadata);
    assert.equal(file.version, 3);
  });

  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
    it(`places tensors where readGguf finds them (seed ${seed})`, async () => {
      const entries = randomEntries(seed);
      const metadata = VALUES.slice(seed).map((value, i): KeyValue => [`test.key_${i}`, value]);
      const layout = layoutGguf(metadata, entries);
      const file = await readGguf(memorySource(fileOf(metadata, entries)));
      const expected = entries.map((entry, i) => ({
        name: entry.name,
        dims: entry.shape.toReversed(),
        type: SCHEMES[entry.scheme].ggmlType,
        offset: layout.offsets[i]!,
        bytes: byteLength(entry),
      }));
      assert.deepEqual(file.tensors, expected);
      assert.equal(layout.bytes % 32, 0, 'the last tensor is padded too');
    });
  }
});
