import { bundleModel } from '../../../formats/webgpu/geometry.ts';
import type { Model } from '../../../src/core/model.ts';
import type { Tensor } from '../../../src/core/tensor.ts';
import { fromHalf, toHalf } from '../../../src/schemes/half.ts';
import {
  BUNDLE_SCHEMA,
  BUNDLE_VERSION,
  type BundleManifest,
  type BundlePiece,
  type BundleTensor,
} from '../../../src/webgpu/manifest.ts';
import { BLOCK, type BundleScheme, storedColumns } from '../../../src/webgpu/planes.ts';
import { memoryTensor, tensorValues, withTensors } from './memory-model.ts';

/**
 * A bundle in memory, straight from the description of its format, and the model that it decodes to, in F32.
 */
export interface MemoryBundle {
  readonly manifest: BundleManifest;
  readonly shards: readonly Uint8Array<ArrayBuffer>[];
  readonly decoded: Model;
}

const PIECE_ROWS = 64;
const ALIGNMENT = 256;

/**
 * Stores the matrices of `model` as `schemeOf` says. Every piece of 64 rows goes into the next of a few
 * shards.
 */
export async function memoryBundle(
  model: Model,
  schemeOf: (name: string) => Exclude<BundleScheme, 'f32'>,
): Promise<MemoryBundle> {
  const shards = Array.from({ length: 3 }, () => new ShardBuilder());
  let pieces = 0;
  const store = (rows: number, plane: Uint8Array): BundlePiece[] => {
    const rowBytes = plane.length / rows;
    const placed: BundlePiece[] = [];
    for (let first = 0; first < rows; first += PIECE_ROWS) {
      const count = Math.min(PIECE_ROWS, rows - first);
      const shard = pieces++ % shards.length;
      const offset = shards[shard]!.add(plane.subarray(first * rowBytes, (first + count) * rowBytes));
      placed.push({ shard, offset, rows: count });
    }
    return placed;
  };
  const tensors: BundleTensor[] = [];
  const decoded: Tensor[] = [];
  for (const { name, shape, ...tensor } of model.tensors.values()) {
    const values = await tensorValues({ name, shape, ...tensor });
    const isVector = shape.length === 1;
    const byNeuron = name.endsWith('down_proj.weight');
    const scheme = isVector ? 'f32' : schemeOf(name);
    const [rows, columns] = isVector
      ? [1, shape[0]!]
      : byNeuron
        ? [shape[1]!, shape[0]!]
        : [shape[0]!, shape[1]!];
    const matrix = byNeuron ? transposed(values, shape[0]!, shape[1]!) : values;
    const { valuePlane, scalePlane, rounded } = encode(scheme, matrix, rows, columns);
    tensors.push({
      name,
      scheme,
      rows,
      columns,
      layout: byNeuron ? 'neurons' : 'rows',
      values: store(rows, valuePlane),
      scales: scalePlane.length === 0 ? [] : store(rows, scalePlane),
    });
    decoded.push(memoryTensor(name, shape, byNeuron ? transposed(rounded, rows, columns) : rounded));
  }
  const file = (name: string, bytes: number) => ({ file: name, bytes, sha256: '' });
  return {
    shards: shards.map((shard) => shard.bytes()),
    decoded: withTensors(model, ...decoded),
    manifest: {
      schema: BUNDLE_SCHEMA,
      version: BUNDLE_VERSION,
      name: model.name,
      scheme: 'q4',
      tensors,
      tool: { name: 'plmpress', version: '0' },
      model: bundleModel(model.config),
      runtime: file('runtime.js', 0),
      tokenizer: file('vocabulary.json', 0),
      shards: shards.map((shard, index) => file(`w-${index}.bin`, shard.bytes().length)),
      generation: { stop_token_ids: [] },
      requirements: { features: [], optional_features: [], limits: {} },
      memory: [],
      sources: [],
      passes: [],
      selfTest: {
        prompt: [],
        likeliest: [],
        close: [],
        logits: { ids: [], values: [], rms: 0, tolerance: 0 },
      },
    },
  };
}

class ShardBuilder {
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  add(bytes: Uint8Array): number {
    const padding = (ALIGNMENT - (this.#length % ALIGNMENT)) % ALIGNMENT;
    const offset = this.#length + padding;
    this.#parts.push(new Uint8Array(padding), bytes);
    this.#length = offset + bytes.length;
    return offset;
  }

  bytes(): Uint8Array<ArrayBuffer> {
    return Uint8Array.from(this.#parts.flatMap((part) => [...part]));
  }
}

function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  return Float32Array.from({ length: rows * columns }, (_, i) => {
    const [column, row] = [Math.floor(i / rows), i % rows];
    return values[row * columns + column]!;
  });
}

/** Codes of `q4` are -8 to 7, so the largest weight of a block becomes -8 or 8 times the scale at most. */
const LARGEST_CODE = { q8: 127, q4: 7 };

function encode(scheme: BundleScheme, values: Float32Array, rows: number, columns: number) {
  const stored = storedColumns({ columns });
  const padded = new Float32Array(rows * stored);
  for (let row = 0; row < rows; row++) {
    padded.set(values.subarray(row * columns, (row + 1) * columns), row * stored);
  }
  const unpadded = (all: Float32Array) =>
    Float32Array.from(
      { length: rows * columns },
      (_, i) => all[Math.floor(i / columns) * stored + (i % columns)]!,
    );
  const none = new Uint8Array(0);
  if (scheme === 'f32') {
    return { valuePlane: new Uint8Array(padded.buffer), scalePlane: none, rounded: values };
  }
  if (scheme === 'f16') {
    const halves = Uint16Array.from(padded, toHalf);
    const rounded = unpadded(Float32Array.from(halves, fromHalf));
    return { valuePlane: new Uint8Array(halves.buffer), scalePlane: none, rounded };
  }
  const scales = new Uint16Array(padded.length / BLOCK);
  const codes = new Int8Array(padded.length);
  const decoded = new Float32Array(padded.length);
  for (let block = 0; block < scales.length; block++) {
    const run = padded.subarray(block * BLOCK, (block + 1) * BLOCK);
    scales[block] = toHalf(Math.max(...run.map(Math.abs)) / LARGEST_CODE[scheme]);
    const scale = fromHalf(scales[block]!);
    for (const [i, value] of run.entries()) {
      const limit = LARGEST_CODE[scheme];
      const code = scale === 0 ? 0 : Math.max(-limit, Math.min(limit, Math.round(value / scale)));
      codes[block * BLOCK + i] = code;
      decoded[block * BLOCK + i] = code * scale;
    }
  }
  const valuePlane = new Uint8Array(scheme === 'q8' ? codes.buffer : nibbles(codes).buffer);
  return { valuePlane, scalePlane: new Uint8Array(scales.buffer), rounded: unpadded(decoded) };
}

function nibbles(codes: Int8Array): Uint8Array {
  return Uint8Array.from(
    { length: codes.length / 2 },
    (_, i) => (codes[2 * i]! + 8) | ((codes[2 * i + 1]! + 8) << 4),
  );
}
