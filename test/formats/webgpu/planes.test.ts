import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import type { Model } from '../../../src/core/model.ts';
import { plmTensors } from '../../../src/core/names.ts';
import { elementCount } from '../../../src/core/tensor.ts';
import { fromHalf } from '../../../src/schemes/half.ts';
import { decoderOf } from '../../../src/schemes/index.ts';
import type { BundleManifest, BundlePiece, BundleTensor } from '../../../src/webgpu/manifest.ts';
import { memoryModel, tensorValues } from '../../support/builders/memory-model.ts';
import { randomGeometry } from '../../support/builders/random-geometry.ts';
import { openUntilEnd, readManifest, shardNames, writeBundle } from '../../support/builders/webgpu-bundle.ts';
import { sha256 } from '../../support/oracles/digests.ts';
import { encoded } from '../../support/oracles/schemes/index.ts';

/** So small that tensors are cut, and large enough for 64 rows of any. */
const SHARD_SIZE = 40_000;

const SCHEMES = { q4: 'Q4_0', q8: 'Q8_0', f16: 'F16' } as const;

/** Rows of a tensor with its padding, decoded from the files by nothing but the description of the format. */
function decode(folder: string, manifest: BundleManifest, tensor: BundleTensor): Float32Array {
  const stored = 32 * Math.ceil(tensor.columns / 32);
  const plane = (pieces: readonly BundlePiece[], rowBytes: number) =>
    Buffer.concat(
      pieces.map(({ shard, offset, rows }) =>
        readFileSync(path.join(folder, manifest.shards[shard]!.file)).subarray(
          offset,
          offset + rows * rowBytes,
        ),
      ),
    );
  const count = tensor.rows * stored;
  const scales = plane(tensor.scales, stored / 16);
  const scale = (i: number) => fromHalf(scales.readUInt16LE(2 * Math.floor(i / 32)));
  const value: Record<BundleTensor['scheme'], (bytes: Buffer, i: number) => number> = {
    f32: (bytes, i) => bytes.readFloatLE(4 * i),
    f16: (bytes, i) => fromHalf(bytes.readUInt16LE(2 * i)),
    q8: (bytes, i) => bytes.readInt8(i) * scale(i),
    q4: (bytes, i) => (((bytes[i >> 1]! >> (4 * (i % 2))) & 15) - 8) * scale(i),
  };
  const bits = { f32: 32, f16: 16, q8: 8, q4: 4 }[tensor.scheme];
  const bytes = plane(tensor.values, (stored * bits) / 8);
  assert.equal(bytes.length, (count * bits) / 8);
  return Float32Array.from({ length: count }, (_, i) => value[tensor.scheme](bytes, i));
}

/** Rows that a bundle should hold: down_proj by neurons, zeros behind each row, rounded to the scheme. */
async function expected(model: Model, tensor: BundleTensor): Promise<Float32Array> {
  const values = await tensorValues(model.tensors.get(tensor.name)!);
  const stored = 32 * Math.ceil(tensor.columns / 32);
  const rows = new Float32Array(tensor.rows * stored);
  for (let r = 0; r < tensor.rows; r++) {
    for (let c = 0; c < tensor.columns; c++) {
      rows[r * stored + c] =
        tensor.layout === 'neurons' ? values[c * tensor.rows + r]! : values[r * tensor.columns + c]!;
    }
  }
  if (tensor.scheme === 'f32') return rows;
  const scheme = SCHEMES[tensor.scheme];
  decoderOf(scheme)(encoded(scheme, rows), 0, rows, 0, rows.length);
  return rows;
}

describe('planes of random geometries', () => {
  for (let seed = 1; seed <= 10; seed++) {
    it(`seed ${seed}`, async (t) => {
      const model = memoryModel(randomGeometry(seed), { seed });
      const scheme = (['q4', 'q8', 'f16'] as const)[seed % 3]!;
      const folder = await writeBundle(t, model, scheme, { shardSize: SHARD_SIZE });
      const manifest = readManifest(folder);
      assert.ok(manifest.shards.length > 1);
      assert.deepEqual(
        manifest.tensors.map(({ name }) => name),
        plmTensors(model.config).map(({ name }) => name),
      );
      for (const tensor of manifest.tensors) {
        assert.deepEqual(decode(folder, manifest, tensor), await expected(model, tensor), tensor.name);
      }
      for (const { file, bytes, sha256: digest } of manifest.shards) {
        assert.ok(bytes <= SHARD_SIZE);
        assert.equal(sha256(path.join(folder, file)), digest);
        assert.equal(file, `w-${digest.slice(0, 16)}.bin`);
      }
      assert.deepEqual(new Set(shardNames(folder)), new Set(manifest.shards.map(({ file }) => file)));
    });
  }
});

it('tensors come back in their own shape', async (t) => {
  for (const scheme of ['q4', 'q8', 'f16'] as const) {
    const model = memoryModel(randomGeometry(3), { seed: 3 });
    const folder = await writeBundle(t, model, scheme, { shardSize: SHARD_SIZE });
    const [bundle, manifest] = [await openUntilEnd(t, folder), readManifest(folder)];
    assert.deepEqual(bundle.config, model.config);
    assert.deepEqual(bundle.tokenizer, model.tokenizer);
    for (const entry of manifest.tensors) {
      const tensor = bundle.tensors.get(entry.name)!;
      assert.deepEqual(tensor.shape, model.tensors.get(entry.name)!.shape);
      const [values, rows] = [await tensorValues(tensor), await expected(model, entry)];
      const stored = rows.length / entry.rows;
      const at = (i: number) => {
        const [r, c] = [Math.floor(i / tensor.shape.at(-1)!), i % tensor.shape.at(-1)!];
        return entry.layout === 'neurons' ? rows[c * stored + r]! : rows[r * stored + c]!;
      };
      assert.deepEqual(
        values,
        Float32Array.from({ length: elementCount(tensor) }, (_, i) => at(i)),
        entry.name,
      );
    }
  }
});
