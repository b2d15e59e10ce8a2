import type { SealedFile } from '../../../src/core/export-plan.ts';
import { SCHEMES } from '../../../src/core/scheme.ts';
import { type Origin, type RowRange, rowBytes, type Tensor } from '../../../src/core/tensor.ts';
import { type BlockScheme, joinCodes, joinScales } from '../../../src/schemes/block-planes.ts';
import type { BundlePiece, BundleTensor } from '../../../src/webgpu/manifest.ts';
import { scaleRowBytes, storedColumns, valueRowBytes } from '../../../src/webgpu/planes.ts';
import { STORED_SCHEMES } from '../schemes.ts';

/** An open file of weights. */
export interface OpenShard extends Pick<SealedFile, 'readInto'> {
  /** Index in `Model.files`. */
  readonly file: number;
}

/**
 * The rows of a tensor as a bundle stores them, padding included, in planes that may lie in several files.
 */
export class PlaneTensor implements Tensor {
  readonly name: string;
  readonly scheme: Tensor['scheme'];
  readonly shape: readonly number[];
  readonly origin: Origin;
  readonly rowStep = 1;
  readonly #entry: BundleTensor;
  readonly #shards: readonly OpenShard[];

  /** Pieces must lie inside their shards. */
  constructor(entry: BundleTensor, isVector: boolean, shards: readonly OpenShard[]) {
    const columns = storedColumns(entry);
    const { shard, offset } = entry.values[0]!;
    this.name = entry.name;
    this.scheme = STORED_SCHEMES[entry.scheme];
    this.shape = isVector ? [columns] : [entry.rows, columns];
    this.origin = { file: shards[shard]!.file, offset };
    this.#entry = entry;
    this.#shards = shards;
  }

  async readRows(range: RowRange, into: Uint8Array, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const { values, scales } = this.#entry;
    if (SCHEMES[this.scheme].blockSize === 1) {
      await this.#readPlane(values, valueRowBytes(this.#entry), range, into);
      return;
    }
    const codes = new Uint8Array(range.count * valueRowBytes(this.#entry));
    const halves = new Uint8Array(range.count * scaleRowBytes(this.#entry));
    await this.#readPlane(values, valueRowBytes(this.#entry), range, codes);
    await this.#readPlane(scales, scaleRowBytes(this.#entry), range, halves);
    const blocks = into.subarray(0, range.count * rowBytes(this));
    joinCodes(this.scheme as BlockScheme, codes, blocks);
    joinScales(this.scheme as BlockScheme, halves, blocks);
  }

  async #readPlane(
    pieces: readonly BundlePiece[],
    width: number,
    { first, count }: RowRange,
    into: Uint8Array,
  ): Promise<void> {
    let start = 0;
    for (const { shard, offset, rows } of pieces) {
      const [from, to] = [Math.max(first, start), Math.min(first + count, start + rows)];
      if (from < to) {
        const target = into.subarray((from - first) * width, (to - first) * width);
        await this.#shards[shard]!.readInto(target, offset + (from - start) * width);
      }
      start += rows;
    }
  }
}
