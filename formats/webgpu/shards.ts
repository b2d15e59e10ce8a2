import { usage } from '../../src/core/errors.ts';
import type { Packing, PlannedTensor } from '../../src/core/export-plan.ts';
import { rowCount, type Tensor } from '../../src/core/tensor.ts';
import { leastCommonMultiple } from '../../src/passes/rows/float-rows.ts';
import { type BlockScheme, splitCodes, splitScales } from '../../src/schemes/block-planes.ts';
import type { BundlePiece, BundleTensor } from '../../src/webgpu/manifest.ts';
import {
  ALIGNMENT,
  type BundleScheme,
  MAX_SHARD_BYTES,
  PIECE_ROWS,
  scaleRowBytes,
  valueRowBytes,
} from '../../src/webgpu/planes.ts';
import { STORED_SCHEMES } from './schemes.ts';

export interface Shard {
  readonly bytes: number;
  readonly tensors: readonly PlannedTensor[];
}

/** A tensor in its stored form and the scheme that it is to have. */
export interface Stored {
  readonly tensor: Tensor;
  readonly scheme: BundleScheme;
  /** Of the tensor without padding. */
  readonly columns: number;
  readonly layout: BundleTensor['layout'];
  /** How its rounding is calibrated. */
  readonly rounding?: Pick<PlannedTensor, 'importance' | 'feedback'>;
}

/** Where the rows of a tensor lie. */
export type Places = Pick<BundleTensor, 'values' | 'scales'>;

/** The files of weights: each tensor is placed behind those before it, and cut where a file is full. */
export class Shards {
  readonly #limit: number;
  readonly #shards: { bytes: number; tensors: PlannedTensor[] }[] = [];

  constructor(limit = MAX_SHARD_BYTES) {
    this.#limit = Math.min(limit, MAX_SHARD_BYTES);
  }

  get files(): readonly Shard[] {
    return this.#shards;
  }

  /** @throws PressError usage where a file does not hold the rows that must stay together. */
  place(stored: Stored): Places {
    const rows = rowCount(stored.tensor);
    const places = { values: [] as BundlePiece[], scales: [] as BundlePiece[] };
    for (let first = 0; first < rows; ) {
      const count = this.#roomFor(stored, rows - first);
      const { values, scales } = this.#add(stored, { first, count });
      places.values.push(values);
      if (scaleRowBytes(stored) > 0) places.scales.push(scales);
      first += count;
    }
    return places;
  }

  /** How many of the rows that are left go into the last file, which is a new one where that is better. */
  #roomFor(stored: Stored, left: number): number {
    const step = leastCommonMultiple(PIECE_ROWS, stored.tensor.rowStep);
    const rowBytes = valueRowBytes(stored) + scaleRowBytes(stored);
    const fitting = (used: number) => {
      const room = Math.floor((this.#limit - aligned(used) - ALIGNMENT) / rowBytes);
      return room >= left ? left : Math.floor(room / step) * step;
    };
    const last = this.#shards.at(-1);
    const [here, empty] = [last === undefined ? 0 : fitting(last.bytes), fitting(0)];
    if (empty <= 0) {
      const bytes = Math.min(step, left) * rowBytes + ALIGNMENT;
      throw usage(
        `files of ${this.#limit} bytes are too small for a row of ${stored.tensor.name}`,
        `at least ${bytes}`,
      );
    }
    // Half a file more is better than a tensor in two.
    const isCut = here < left && empty === left && (last?.bytes ?? 0) >= this.#limit / 2;
    if (here > 0 && !isCut) return here;
    this.#shards.push({ bytes: 0, tensors: [] });
    return empty;
  }

  #add(stored: Stored, rows: { readonly first: number; readonly count: number }) {
    const { tensor, scheme, layout, rounding } = stored;
    const index = this.#shards.length - 1;
    const shard = this.#shards[index]!;
    const widths = [valueRowBytes(stored), scaleRowBytes(stored)] as const;
    const offset = aligned(shard.bytes);
    const scalesOffset = aligned(offset + rows.count * widths[0]);
    const isWhole = rows.count === rowCount(tensor);
    shard.tensors.push({
      source: tensor,
      name: isWhole ? tensor.name : `${tensor.name}[${rows.first}:${rows.first + rows.count}]`,
      scheme: STORED_SCHEMES[scheme],
      offset,
      ...rounding,
      ...(!isWhole && { rows }),
      ...(layout === 'neurons' && { transposed: true }),
      ...((scheme === 'q4' || scheme === 'q8') && {
        packing: planes(STORED_SCHEMES[scheme], [offset, scalesOffset], widths),
      }),
    });
    shard.bytes = widths[1] === 0 ? offset + rows.count * widths[0] : scalesOffset + rows.count * widths[1];
    const piece = { shard: index, rows: rows.count };
    return { values: { ...piece, offset }, scales: { ...piece, offset: scalesOffset } };
  }
}

/** The parts of blocks in planes of their own. */
export function planes(
  scheme: BlockScheme,
  offsets: readonly [number, number],
  widths: readonly [number, number],
): Packing {
  return {
    parts: offsets.map((offset, part) => ({ offset, rowBytes: widths[part]! })),
    pack(blocks, [codes, scales]) {
      splitCodes(scheme, blocks, codes!);
      splitScales(scheme, blocks, scales!);
    },
  };
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}
