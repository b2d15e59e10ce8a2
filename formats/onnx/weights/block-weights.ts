import { columnCount, rowCount, type Tensor } from '../../../src/core/tensor.ts';
import { ELEMENT_TYPES, type ExternalData } from '../../../src/onnx/graph.ts';
import {
  BLOCK_BITS,
  BLOCK_SIZE,
  type BlockScheme,
  codeBytes,
  splitScales,
} from '../../../src/schemes/block-planes.ts';
import { type FloatType, int } from '../graph/builder.ts';
import { packBlocks, packFloatScales } from './block-packing.ts';
import { addByHead } from './heads.ts';
import type { Placer } from './placer.ts';
import type { Weights } from './weights.ts';

/**
 * Multiply activations that are rounded to 8 bits per block, in integers: without it CPUs take paths many
 * times slower.
 */
const INT8_ACTIVATIONS = 4;

/** Code of 0 in a byte. */
const ZERO_POINT = 128;

/** Names of the two initializers of a matrix. */
interface Stored {
  readonly codes: string;
  readonly scales: string;
}

/** Matrices in blocks of 4 or 8 bits. A table that is both embedding and head is stored once. */
export class BlockWeights implements Weights {
  readonly #placer: Placer;
  readonly #type: FloatType;
  readonly #schemeOf: (tensor: Tensor) => BlockScheme;

  constructor(placer: Placer, type: FloatType, schemeOf: (tensor: Tensor) => BlockScheme) {
    this.#placer = placer;
    this.#type = type;
    this.#schemeOf = schemeOf;
  }

  vector(tensor: Tensor): string {
    return this.#placer.plain(tensor, this.#type);
  }

  linear(at: string, x: string, tensor: Tensor): string {
    return this.#multiply(at, x, tensor, { rows: rowCount(tensor), ...this.#store(tensor, 1)[0]! });
  }

  heads(at: string, x: string, tensor: Tensor): string {
    const [heads, rows] = tensor.shape as [number, number];
    const stored = this.#store(tensor, heads);
    return addByHead(this.#placer.graph, at, x, heads, (place, input, head) =>
      this.#multiply(place, input, tensor, { rows, ...stored[head]! }),
    );
  }

  /**
   * Decodes the rows with plain operators: builds of ONNX Runtime for the web lack GatherBlockQuantized on
   * the CPU. Their codes are bytes; two to a byte would take several operators more.
   */
  embed(at: string, ids: string, tensor: Tensor): string {
    const { graph } = this.#placer;
    if (this.#schemeOf(tensor) !== 'Q8_0') throw new Error('an embedding of 4 bits');
    const { codes, scales } = this.#store(tensor, 1)[0]!;
    const gather = (name: string, table: string) =>
      graph.add('Gather', `${at}/${name}`, [table, ids], { attributes: { axis: int(0) } });
    const to = int(ELEMENT_TYPES[this.#type].code);
    const floats = graph.add('Cast', `${at}/floats`, [gather('codes', codes)], { attributes: { to } });
    const signed = graph.add('Sub', `${at}/signed`, [floats, graph.scalar(this.#type, ZERO_POINT)]);
    const column = graph.add('Unsqueeze', `${at}/scale_column`, [
      gather('scales', scales),
      graph.integers([2]),
    ]);
    const blocks = graph.add('Mul', `${at}/blocks`, [signed, column]);
    const padded = blocksOf(tensor) * BLOCK_SIZE;
    const rows = graph.add('Reshape', `${at}/rows`, [blocks, graph.integers([-1, padded])]);
    const columns = columnCount(tensor);
    if (columns === padded) return rows;
    const ends = [[0], [columns], [1]].map((list) => graph.integers(list));
    return graph.add('Slice', `${at}/unpadded`, [rows, ...ends]);
  }

  #multiply(at: string, x: string, tensor: Tensor, stored: Stored & { readonly rows: number }): string {
    return this.#placer.graph.add('MatMulNBits', at, [x, stored.codes, stored.scales], {
      domain: 'com.microsoft',
      attributes: {
        K: int(columnCount(tensor)),
        N: int(stored.rows),
        bits: int(BLOCK_BITS[this.#schemeOf(tensor)]),
        block_size: int(BLOCK_SIZE),
        accuracy_level: int(INT8_ACTIVATIONS),
      },
    });
  }

  /**
   * Declares codes `[rows, blocks, bytes]` and scales `[rows, blocks]` of each head; of a plain matrix, of
   * one.
   */
  #store(tensor: Tensor, heads: number): Stored[] {
    const scheme = this.#schemeOf(tensor);
    const [blocks, width] = [blocksOf(tensor), codeBytes(scheme)];
    const isHalf = this.#type === 'float16';
    const packScales = isHalf ? splitScales : packFloatScales;
    const [codes, scales] = this.#placer.packed(tensor, scheme, {
      parts: [
        { rowBytes: blocks * width, pack: (from, into) => packBlocks(scheme, from, into) },
        { rowBytes: blocks * (isHalf ? 2 : 4), pack: (from, into) => packScales(scheme, from, into) },
      ],
    }) as [ExternalData, ExternalData];
    const rows = rowCount(tensor) / heads;
    const { graph } = this.#placer;
    return Array.from({ length: heads }, (_, head) => {
      const name = heads === 1 ? tensor.name : `${tensor.name}.${head}`;
      return {
        codes: graph.external(
          `${name}_Q${BLOCK_BITS[scheme]}`,
          'uint8',
          [rows, blocks, width],
          pieceOf(codes, head, heads),
        ),
        scales: graph.external(`${name}_scales`, this.#type, [rows, blocks], pieceOf(scales, head, heads)),
      };
    });
  }
}

function blocksOf(tensor: Tensor): number {
  return Math.ceil(columnCount(tensor) / BLOCK_SIZE);
}

/** One of `count` equal pieces. */
export function pieceOf(
  { location, offset, length }: ExternalData,
  index: number,
  count: number,
): ExternalData {
  const size = length / count;
  return { location, offset: offset + index * size, length: size };
}
