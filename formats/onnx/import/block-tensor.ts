import { invalidInput } from '../../../src/core/errors.ts';
import type { RowRange, Tensor } from '../../../src/core/tensor.ts';
import { rowBytes } from '../../../src/core/tensor.ts';
import type { InputFile } from '../../../src/io/input-file.ts';
import { BLOCK_SIZE, type BlockScheme, codeBytes } from '../../../src/schemes/block-planes.ts';
import { fromHalf, toHalf } from '../../../src/schemes/half.ts';
import { unpackBlocks } from '../weights/block-packing.ts';

/** Code of 0 in a byte. */
const ZERO_CODE = 128;

/** A run of bytes in an open file. */
export interface Run {
  readonly file: InputFile;
  readonly offset: number;
}

/** Rows of one matrix: a head's, or all of them. */
export interface Piece {
  readonly codes: Run;
  readonly scales: Run;
}

export interface BlockLayout extends Pick<Tensor, 'name' | 'shape' | 'origin'> {
  readonly scheme: BlockScheme;
  /** Bytes of a stored scale: an f16 or an f32. */
  readonly scaleBytes: 2 | 4;
  /** One scale per row instead of one per block. */
  readonly byRow: boolean;
  /** Codes of a row as stored; behind them rows are padded with codes of 0. */
  readonly storedColumns: number;
  /** Rows of each piece. */
  readonly pieceRows: number;
  readonly pieces: readonly Piece[];
}

/** A matrix whose codes and scales lie apart, read as blocks of Q4_0 or Q8_0. */
export class BlockTensor implements Tensor {
  readonly name: string;
  readonly scheme: BlockScheme;
  readonly shape: readonly number[];
  readonly origin: Tensor['origin'];
  readonly rowStep = 1;
  readonly oneScalePerRow: boolean;
  readonly #layout: BlockLayout;

  constructor(layout: BlockLayout) {
    this.name = layout.name;
    this.scheme = layout.scheme;
    this.shape = layout.shape;
    this.origin = layout.origin;
    this.oneScalePerRow = layout.byRow;
    this.#layout = layout;
  }

  async readRows({ first, count }: RowRange, into: Uint8Array, signal?: AbortSignal): Promise<void> {
    const { pieceRows, pieces } = this.#layout;
    const row = rowBytes(this);
    for (let done = 0; done < count; ) {
      signal?.throwIfAborted();
      const at = first + done;
      const start = at % pieceRows;
      const rows = Math.min(count - done, pieceRows - start);
      const target = into.subarray(done * row, (done + rows) * row);
      await this.#readPiece(pieces[Math.floor(at / pieceRows)]!, { first: start, count: rows }, target);
      done += rows;
    }
  }

  async #readPiece(piece: Piece, { first, count }: RowRange, into: Uint8Array): Promise<void> {
    const { scaleBytes, byRow } = this.#layout;
    const blocks = this.#blocksOfRow();
    const codes = await this.#readCodes(piece.codes, { first, count });
    unpackBlocks(this.scheme, codes, into);
    const scalesOfRow = byRow ? 1 : blocks;
    const scales = new Uint8Array(count * scalesOfRow * scaleBytes);
    await piece.scales.file.readInto(scales, piece.scales.offset + first * scalesOfRow * scaleBytes);
    const halves =
      scaleBytes === 2
        ? new Uint16Array(scales.buffer)
        : this.#halvesOf(new Float32Array(scales.buffer), piece);
    const step = 2 + codeBytes(this.scheme);
    for (let block = 0; block < count * blocks; block++) {
      const half = halves[byRow ? Math.floor(block / blocks) : block]!;
      into[block * step] = half & 255;
      into[block * step + 1] = half >> 8;
    }
  }

  /** Codes in whole blocks. */
  async #readCodes({ file, offset }: Run, { first, count }: RowRange): Promise<Uint8Array> {
    const { storedColumns } = this.#layout;
    const whole = this.#blocksOfRow() * codeBytes(this.scheme);
    const stored = (storedColumns * codeBytes(this.scheme)) / BLOCK_SIZE;
    const codes = new Uint8Array(count * stored);
    await file.readInto(codes, offset + first * stored);
    if (stored === whole) return codes;
    const padded = new Uint8Array(count * whole).fill(ZERO_CODE);
    for (let row = 0; row < count; row++) {
      padded.set(codes.subarray(row * stored, (row + 1) * stored), row * whole);
    }
    return padded;
  }

  #blocksOfRow(): number {
    return this.shape.at(-1)! / BLOCK_SIZE;
  }

  #halvesOf(scales: Float32Array, { scales: { file } }: Piece): Uint16Array {
    return Uint16Array.from(scales, (scale) => {
      const half = toHalf(scale);
      if (fromHalf(half) !== scale) {
        const field = `scales of ${this.name}`;
        throw invalidInput({ file: file.name, field, what: 'scale', got: scale, expected: 'an f16' });
      }
      return half;
    });
  }
}
