import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { TestContext } from 'node:test';
import type { BundleFile, BundleManifest } from '../../../src/webgpu/manifest.ts';
import { scaleRowBytes, valueRowBytes } from '../../../src/webgpu/planes.ts';
import { SMALL_PLM } from './hollow-model.ts';
import { noiseModel } from './noise-model.ts';
import { readManifest, writeBundle } from './webgpu-bundle.ts';

const HIDDEN_SIZE = 2048;
/** A shard of them takes almost the 32 MiB that it may. */
const ROWS = 28_672;
const EMBEDDING = 'model.embed_tokens.weight';

/** Writes a bundle of one small layer, whose embedding fills so many shards, and returns its folder. */
export async function writeWideBundle(t: TestContext, count: number): Promise<string> {
  const config = {
    ...SMALL_PLM,
    hiddenSize: HIDDEN_SIZE,
    numHiddenLayers: 1,
    intermediateSizes: [512],
  };
  const folder = await writeBundle(t, noiseModel(config), 'q4');
  const manifest = readManifest(folder);
  const own = manifest.tensors.find(({ name }) => name === EMBEDDING)!;
  const valueBytes = ROWS * valueRowBytes(own);
  const bytes = new Uint8Array(valueBytes + ROWS * scaleRowBytes(own));
  const shards = Array.from({ length: count }, (_, index): BundleFile => {
    bytes[0] = index;
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const file = `w-${sha256.slice(0, 16)}.bin`;
    writeFileSync(path.join(folder, file), bytes);
    return { file, bytes: bytes.length, sha256 };
  });
  const piecesAt = (offset: number) =>
    shards.map((_, index) => ({ shard: manifest.shards.length + index, offset, rows: ROWS }));
  const wide = { ...own, rows: count * ROWS, values: piecesAt(0), scales: piecesAt(valueBytes) };
  const changed: BundleManifest = {
    ...manifest,
    model: { ...manifest.model, vocab_size: wide.rows },
    shards: [...manifest.shards, ...shards],
    tensors: manifest.tensors.map((tensor) => (tensor.name === EMBEDDING ? wide : tensor)),
  };
  writeFileSync(path.join(folder, 'manifest.json'), JSON.stringify(changed));
  return folder;
}
