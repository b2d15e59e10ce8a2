import { BundleError } from '../bundle-error.ts';
import type { BundleManifest, BundleTensor } from '../manifest.ts';
import { BLOCK, type MatrixScheme, scaleRowBytes, storedColumns, valueRowBytes } from '../planes.ts';
import { COPY_DST, STORAGE } from './buffer-usage.ts';

/** Rows of a matrix that one binding holds. */
export interface MatrixSlice {
  readonly firstRow: number;
  readonly rows: number;
  readonly values: GPUBuffer;
  /** Of floats, a buffer of nothing: kernels bind it all the same. */
  readonly scales: GPUBuffer;
}

/** A matrix on the GPU, in as many slices as its bindings take. */
export interface DeviceMatrix {
  readonly scheme: MatrixScheme;
  readonly rows: number;
  readonly columns: number;
  readonly blocks: number;
  readonly slices: readonly MatrixSlice[];
}

/** WebGPU's least `maxStorageBufferBindingSize`: what every device can bind. */
const BINDING_BYTES = 128 * 2 ** 20;
/**
 * Pieces in shards and slices on the GPU meet at multiples of this many rows, so that all copies are of whole
 * words.
 */
const ROW_STEP = 64;

const PLANES = ['values', 'scales'] as const;

/** Codes or floats of a tensor, and the scales of its codes. */
export type Plane = (typeof PLANES)[number];

/** Where a tensor's rows go. */
interface Place {
  readonly slices: readonly MatrixSlice[];
  readonly firstRow: number;
}

/**
 * Buffers of all weights of a bundle. They are allocated as they are asked for, and filled shard by shard.
 */
export class DeviceWeights {
  readonly #device: GPUDevice;
  readonly #tensors: ReadonlyMap<string, BundleTensor>;
  readonly #matrices = new Map<string, DeviceMatrix>();
  readonly #places = new Map<string, Place>();
  readonly #buffers: GPUBuffer[] = [];
  readonly #none: GPUBuffer;

  constructor(device: GPUDevice, { tensors }: Pick<BundleManifest, 'tensors'>) {
    this.#device = device;
    this.#tensors = new Map(tensors.map((tensor) => [tensor.name, tensor]));
    this.#none = this.#allocate('no scales', 4);
  }

  get bytes(): number {
    return this.#buffers.reduce((sum, { size }) => sum + size, 0);
  }

  get largestBinding(): number {
    return this.#buffers.reduce((most, { size }) => Math.max(most, size), 0);
  }

  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  /** Whether these matrices can be one below the other. */
  canStack(names: readonly string[]): boolean {
    const [first, ...rest] = names.map((name) => this.#tensor(name));
    const scales = scaleRowBytes(first!);
    return (
      rest.every(({ scheme, columns }) => scheme === first!.scheme && columns === first!.columns) &&
      names.slice(0, -1).every((name) => (this.#tensor(name).rows * scales) % 4 === 0)
    );
  }

  /** Room for matrices, one below the other. */
  matrix(...names: string[]): DeviceMatrix {
    const tensors = names.map((name) => this.#tensor(name));
    const [first] = tensors;
    if (first === undefined || first.scheme === 'f32') throw invalid(names[0]!, 'is not a matrix');
    const known = this.#matrices.get(first.name);
    if (known !== undefined) return known;
    const rows = tensors.reduce((sum, tensor) => sum + tensor.rows, 0);
    const { columns, scheme } = first;
    const blocks = storedColumns(first) / BLOCK;
    const slices = this.#slices(first, rows);
    let firstRow = 0;
    for (const tensor of tensors) {
      this.#places.set(tensor.name, { slices, firstRow });
      firstRow += tensor.rows;
    }
    const matrix = { scheme, rows, columns, blocks, slices };
    this.#matrices.set(first.name, matrix);
    return matrix;
  }

  /** Room for a matrix that fits into one binding, as all but those of the vocabulary do. */
  undivided(...names: string[]): DeviceMatrix & { readonly slices: readonly [MatrixSlice] } {
    const matrix = this.matrix(...names);
    const [slice, ...more] = matrix.slices;
    if (slice === undefined || more.length > 0) throw invalid(names[0]!, 'is larger than a binding');
    return { ...matrix, slices: [slice] };
  }

  /** Room for a vector of floats. */
  vector(name: string): GPUBuffer {
    const tensor = this.#tensor(name);
    if (tensor.scheme !== 'f32' || tensor.rows !== 1) throw invalid(name, 'is not a vector');
    const values = this.#allocate(name, valueRowBytes(tensor));
    this.#places.set(name, { slices: [{ firstRow: 0, rows: 1, values, scales: this.#none }], firstRow: 0 });
    return values;
  }

  /** Bytes of a tensor as kernels read it. */
  tensorBytes(name: string): number {
    const tensor = this.#tensor(name);
    return tensor.rows * (valueRowBytes(tensor) + scaleRowBytes(tensor));
  }

  /** Copies what lies in a shard into the buffers that have been asked for. */
  writeShard(index: number, bytes: Uint8Array<ArrayBuffer>): void {
    for (const tensor of this.#tensors.values()) {
      const place = this.#places.get(tensor.name);
      if (place === undefined) continue;
      for (const plane of PLANES) {
        const rowBytes = planeRowBytes(tensor, plane);
        let { firstRow } = place;
        for (const piece of tensor[plane]) {
          if (piece.shard === index) {
            const run = bytes.subarray(piece.offset, piece.offset + piece.rows * rowBytes);
            this.#write(place.slices, plane, firstRow, rowBytes, run);
          }
          firstRow += piece.rows;
        }
      }
    }
  }

  /**
   * Copies rows of a plane of a tensor that has been asked for, from row `firstRow` on, which begins with a
   * whole word.
   */
  writeRows(name: string, plane: Plane, firstRow: number, bytes: Uint8Array<ArrayBuffer>): void {
    const place = this.#places.get(name);
    if (place === undefined) return;
    const tensor = this.#tensor(name);
    this.#write(place.slices, plane, place.firstRow + firstRow, planeRowBytes(tensor, plane), bytes);
  }

  dispose(): void {
    for (const buffer of this.#buffers) buffer.destroy();
  }

  #write(
    slices: readonly MatrixSlice[],
    plane: Plane,
    firstRow: number,
    rowBytes: number,
    bytes: Uint8Array<ArrayBuffer>,
  ): void {
    const endRow = firstRow + bytes.length / rowBytes;
    for (const slice of slices) {
      const from = Math.max(firstRow, slice.firstRow);
      const to = Math.min(endRow, slice.firstRow + slice.rows);
      if (from >= to) continue;
      const run = bytes.subarray((from - firstRow) * rowBytes, (to - firstRow) * rowBytes);
      this.#device.queue.writeBuffer(slice[plane], (from - slice.firstRow) * rowBytes, wholeWords(run));
    }
  }

  #slices(tensor: BundleTensor, rows: number): MatrixSlice[] {
    const [valueBytes, scaleBytes] = [valueRowBytes(tensor), scaleRowBytes(tensor)];
    const limit = Math.min(BINDING_BYTES, this.#device.limits.maxStorageBufferBindingSize);
    const most = Math.floor(limit / valueBytes / ROW_STEP) * ROW_STEP;
    if (most === 0) throw invalid(tensor.name, 'has rows too wide for a binding');
    const slices: MatrixSlice[] = [];
    for (let firstRow = 0; firstRow < rows; firstRow += most) {
      const count = Math.min(most, rows - firstRow);
      slices.push({
        firstRow,
        rows: count,
        values: this.#allocate(tensor.name, count * valueBytes),
        scales: scaleBytes === 0 ? this.#none : this.#allocate(tensor.name, count * scaleBytes),
      });
    }
    return slices;
  }

  #allocate(label: string, bytes: number): GPUBuffer {
    const size = Math.ceil(bytes / 16) * 16;
    const buffer = this.#device.createBuffer({ label, size, usage: STORAGE | COPY_DST });
    this.#buffers.push(buffer);
    return buffer;
  }

  #tensor(name: string): BundleTensor {
    const tensor = this.#tensors.get(name);
    if (tensor === undefined) throw new BundleError('invalid-bundle', `manifest.json: no tensor ${name}`);
    return tensor;
  }
}

function planeRowBytes(tensor: BundleTensor, plane: Plane): number {
  return plane === 'values' ? valueRowBytes(tensor) : scaleRowBytes(tensor);
}

/** The last rows of a plane of scales may end inside a word. */
function wholeWords(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (bytes.length % 4 === 0) return bytes;
  const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  padded.set(bytes);
  return padded;
}

function invalid(name: string, what: string): BundleError {
  return new BundleError('invalid-bundle', `manifest.json: tensor ${name} ${what}`);
}
