import { columnCount, rowCount, type Tensor } from '../../../src/core/tensor.ts';
import { ELEMENT_TYPES, type ExternalData } from '../../../src/onnx/graph.ts';
import { BLOCK_SIZE } from '../../../src/schemes/block-planes.ts';
import { int, ints } from '../graph/builder.ts';
import { packBlocks, packFloatScales } from './block-packing.ts';
import { pieceOf } from './block-weights.ts';
import { addByHead } from './heads.ts';
import { type Placer, paddedRowBytes } from './placer.ts';
import type { Weights } from './weights.ts';

const ZERO_POINT = 128;
const Q8_0_BLOCK_BYTES = 34;

interface Stored {
  readonly codes: string;
  readonly scales: string;
}

/**
 * Matrices of 8 bits with one scale per row, multiplied with activations that are rounded to 8 bits when they
 * come: the one quantized product that WebAssembly has a fast path for. Codes are unsigned, for signed ones
 * overflow on some CPUs.
 */
export class RowWeights implements Weights {
  readonly #placer: Placer;

  constructor(placer: Placer) {
    this.#placer = placer;
  }

  vector(tensor: Tensor): string {
    return this.#placer.plain(tensor, 'float');
  }

  linear(at: string, x: string, tensor: Tensor): string {
    return this.#multiply(at, x, this.#store(tensor, 1)[0]!, rowCount(tensor));
  }

  heads(at: string, x: string, tensor: Tensor): string {
    const [heads, rows] = tensor.shape as [number, number];
    const stored = this.#store(tensor, heads);
    return addByHead(this.#placer.graph, at, x, heads, (place, input, head) =>
      this.#multiply(place, input, stored[head]!, rows),
    );
  }

  embed(at: string, ids: string, tensor: Tensor): string {
    const { graph } = this.#placer;
    const { codes, scales } = this.#store(tensor, 1)[0]!;
    const gather = (name: string, table: string) =>
      graph.add('Gather', `${at}/${name}`, [table, ids], { attributes: { axis: int(0) } });
    const rows = graph.add('Cast', `${at}/codes_float`, [gather('codes', codes)], {
      attributes: { to: int(ELEMENT_TYPES.float.code) },
    });
    const signed = graph.add('Sub', `${at}/signed`, [rows, graph.scalar('float', ZERO_POINT)]);
    const column = graph.add('Unsqueeze', `${at}/scale_column`, [
      gather('scales', scales),
      graph.integers([1]),
    ]);
    return graph.add('Mul', `${at}/rows`, [signed, column]);
  }

  /** Engines transpose the constant when they load it. */
  #multiply(at: string, x: string, { codes, scales }: Stored, rows: number): string {
    const { graph } = this.#placer;
    const transposed = graph.add('Transpose', `${at}/transposed`, [codes], {
      attributes: { perm: ints([1, 0]) },
    });
    const inputs = [x, transposed, scales, graph.bytes(ZERO_POINT, rows)];
    return graph.add('DynamicQuantizeMatMul', at, inputs, { domain: 'com.microsoft' });
  }

  /** Declares codes `[rows, columns]` and scales `[rows]` of each head; of a plain matrix, of one. */
  #store(tensor: Tensor, heads: number): Stored[] {
    const columns = columnCount(tensor);
    const blockRow = paddedRowBytes(tensor, 'Q8_0');
    const [codes, scales] = this.#placer.packed(tensor, 'Q8_0', {
      byRow: true,
      parts: [
        { rowBytes: columns, pack: (blocks, into) => packRows(blocks, blockRow, into, columns) },
        { rowBytes: 4, pack: (blocks, into) => packRowScales(blocks, blockRow, into) },
      ],
    }) as [ExternalData, ExternalData];
    const rows = rowCount(tensor) / heads;
    const { graph } = this.#placer;
    return Array.from({ length: heads }, (_, head) => {
      const name = heads === 1 ? tensor.name : `${tensor.name}.${head}`;
      const place = (part: ExternalData) => pieceOf(part, head, heads);
      return {
        codes: graph.external(`${name}_quantized`, 'uint8', [rows, columns], place(codes)),
        scales: graph.external(`${name}_scale`, 'float', [rows], place(scales)),
      };
    });
  }
}

/** Codes of whole rows, without those that pad the last block. */
function packRows(blocks: Uint8Array, blockRow: number, codes: Uint8Array, columns: number): void {
  const padded = new Uint8Array((blockRow / Q8_0_BLOCK_BYTES) * BLOCK_SIZE);
  for (let from = 0, to = 0; to < codes.length; from += blockRow, to += columns) {
    packBlocks('Q8_0', blocks.subarray(from, from + blockRow), padded);
    codes.set(padded.subarray(0, columns), to);
  }
}

/** The scale of each row's first block, which is that of all. */
function packRowScales(blocks: Uint8Array, blockRow: number, scales: Uint8Array): void {
  for (let from = 0, to = 0; to < scales.length; from += blockRow, to += 4) {
    packFloatScales('Q8_0', blocks.subarray(from, from + Q8_0_BLOCK_BYTES), scales.subarray(to, to + 4));
  }
}
