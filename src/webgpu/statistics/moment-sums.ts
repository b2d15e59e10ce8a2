import { COPY_DST, COPY_SRC, MAP_MODE_READ, STORAGE } from '../engine/buffer-usage.ts';
import { type Dispatch, dispatchOf } from '../engine/dispatch.ts';
import type { KernelCompiler } from '../engine/kernel.ts';
import { gatherKernel, multiplyGatheredKernel, type ScaledShape, SUM_COLUMNS } from './sum-shaders.ts';
import { addBand, type Band, bandsOf, TILE } from './triangle-tiles.ts';

/**
 * Vectors that are gathered before they are multiplied: the sums are read and written once for all of them.
 * More would make a dispatch so long that systems take the GPU for stuck.
 */
export const GATHERED_TOKENS = 256;
/**
 * How often gathered vectors are multiplied before the sums are added up in f64. A sum in f32 is of 16 tokens,
 * added to one of all gathered, added to the sum: 64 additions one after the other, so that it is off by no
 * more than 4e-6 of the sum of the magnitudes of its terms.
 */
export const MULTIPLIED_TIMES = 32;
/** Less than what every device can bind, and what is read back at once. */
export const BAND_BYTES = 32 * 2 ** 20;

/** The second moments of one site, X^T X over its vectors: an upper triangle in f32, in tiles. */
export class MomentSums {
  readonly #compiler: KernelCompiler;
  readonly #channels: number;
  readonly #triangle: Float64Array;
  readonly #gathered: GPUBuffer;
  readonly #bands: readonly { readonly band: Band; readonly buffer: GPUBuffer }[];

  /** `triangle`, row by row, is what sums are added to in the end. */
  constructor(device: GPUDevice, compiler: KernelCompiler, channels: number, triangle: Float64Array) {
    this.#compiler = compiler;
    this.#channels = channels;
    this.#triangle = triangle;
    this.#gathered = device.createBuffer({
      label: 'gathered',
      size: 4 * GATHERED_TOKENS * this.#stride,
      usage: STORAGE,
    });
    this.#bands = bandsOf(channels, BAND_BYTES).map((band) => ({
      band,
      buffer: device.createBuffer({
        label: 'moments',
        size: band.bytes,
        usage: STORAGE | COPY_SRC | COPY_DST,
      }),
    }));
  }

  /** Bytes of the largest band. */
  get bandBytes(): number {
    return Math.max(...this.#bands.map(({ band }) => band.bytes));
  }

  /** Gathers the vectors of a batch from row `row` of the params on. */
  gather(x: GPUBuffer, shape: ScaledShape, more: readonly GPUBuffer[]): Promise<Dispatch> {
    const resources = [x, this.#gathered, ...more].map((buffer) => ({ buffer }));
    const groups = Math.ceil(shape.columns / SUM_COLUMNS);
    return dispatchOf(this.#compiler, gatherKernel(shape, this.#stride), resources, (tokens) => [
      groups,
      tokens,
      1,
    ]);
  }

  /** Adds the products of the gathered vectors to the sums. */
  multiply(): Promise<Dispatch>[] {
    return this.#bands.map(({ band, buffer }) => {
      const source = multiplyGatheredKernel(band);
      const groups = [band.sideTiles - band.firstRow, band.rows, 1] as const;
      return dispatchOf(this.#compiler, source, [{ buffer: this.#gathered }, { buffer }], () => groups);
    });
  }

  /** Adds `weight` times the sums to the triangle, by way of `staging`, and begins new ones. */
  async empty(device: GPUDevice, staging: GPUBuffer, weight: number): Promise<void> {
    for (const { band, buffer } of this.#bands) {
      const commands = device.createCommandEncoder();
      commands.copyBufferToBuffer(buffer, 0, staging, 0, band.bytes);
      commands.clearBuffer(buffer);
      device.queue.submit([commands.finish()]);
      await staging.mapAsync(MAP_MODE_READ, 0, band.bytes);
      try {
        const values = new Float32Array(staging.getMappedRange(0, band.bytes));
        addBand(band, values, this.#channels, weight, this.#triangle);
      } finally {
        staging.unmap();
      }
    }
  }

  dispose(): void {
    this.#gathered.destroy();
    for (const { buffer } of this.#bands) buffer.destroy();
  }

  /** Whole tiles: what lies behind the channels is multiplied, but never read. */
  get #stride(): number {
    return Math.ceil(this.#channels / TILE) * TILE;
  }
}
