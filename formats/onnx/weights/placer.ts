import type { Feedback, Importance, Packing } from '../../../src/core/export-plan.ts';
import { assertRoundsOnce } from '../../../src/core/requantize.ts';
import { SCHEMES, type SchemeName, schemeBytes } from '../../../src/core/scheme.ts';
import { columnCount, rowCount, type Tensor } from '../../../src/core/tensor.ts';
import { initializerBytes } from '../../../src/onnx/check/value-type.ts';
import type { ElementType, ExternalData } from '../../../src/onnx/graph.ts';
import { padToBlocks } from '../../../src/passes/rows/whole-blocks.ts';
import type { DataFiles } from '../data-files.ts';
import type { GraphBuilder } from '../graph/builder.ts';

/** Statistics of the inputs of a tensor, if known. */
export interface Calibration {
  /** Importances of its columns, if any are known. */
  importances(tensor: Tensor, columns: number): Importance | undefined;
  /**
   * Error feedback for its rounding to Q4_0, if it is wanted; for `columns` columns, those that pad rows
   * included.
   */
  feedback(tensor: Tensor, columns: number): Feedback | undefined;
}

export interface PlacerOptions {
  readonly graph: GraphBuilder;
  readonly data: DataFiles;
  readonly calibration: Calibration;
  /** Round weights that have been rounded already, into another scheme. */
  readonly allowRequantize: boolean;
}

/** A run of parts of blocks: one initializer's, or several heads' one after the other. */
export interface PackedPart {
  readonly rowBytes: number;
  readonly pack: (blocks: Uint8Array, part: Uint8Array) => void;
}

export interface PackedOptions {
  readonly parts: readonly PackedPart[];
  /** One scale per row. */
  readonly byRow?: true;
}

/** Gives tensors their places in the files of data and declares their initializers, each once. */
export class Placer {
  readonly graph: GraphBuilder;
  readonly #data: DataFiles;
  readonly #calibration: Calibration;
  readonly #allowRequantize: boolean;
  readonly #packed = new Map<string, readonly ExternalData[]>();
  readonly #plain = new Set<string>();

  constructor({ graph, data, calibration, allowRequantize }: PlacerOptions) {
    this.graph = graph;
    this.#data = data;
    this.#calibration = calibration;
    this.#allowRequantize = allowRequantize;
  }

  /** A tensor as one initializer under its own name. */
  plain(tensor: Tensor, type: Extract<ElementType, 'float' | 'float16'>): string {
    const { name, shape } = tensor;
    if (this.#plain.has(name)) return name;
    this.#plain.add(name);
    const scheme = type === 'float' ? 'F32' : 'F16';
    this.#data.place([initializerBytes({ type, shape })], (file, [place]) => {
      file.tensors.push({ source: tensor, name, scheme, offset: place!.offset });
      this.graph.external(name, type, shape, place!);
    });
    return name;
  }

  /** The places of the parts of a tensor that is stored in blocks, padded with zeros to whole ones. */
  packed(tensor: Tensor, scheme: SchemeName, { parts, byRow }: PackedOptions): readonly ExternalData[] {
    const { name } = tensor;
    const known = this.#packed.get(name);
    if (known !== undefined) return known;
    const source = padToBlocks(tensor, SCHEMES[scheme].blockSize);
    const roundsRows = byRow && !(source.scheme === scheme && source.oneScalePerRow);
    if (!this.#allowRequantize) assertRoundsOnce(tensor, scheme, roundsRows ? { along: ' by rows' } : {});
    const isPlain = source.scheme === scheme || byRow;
    const importance = isPlain ? undefined : this.#calibration.importances(tensor, columnCount(source));
    const rounds = source.scheme !== scheme && scheme === 'Q4_0';
    const feedback = rounds ? this.#calibration.feedback(tensor, columnCount(source)) : undefined;
    const rows = rowCount(tensor);
    let result: readonly ExternalData[] = [];
    this.#data.place(
      parts.map(({ rowBytes }) => rows * rowBytes),
      (file, places) => {
        const packing: Packing = {
          parts: places.map(({ offset }, part) => ({ offset, rowBytes: parts[part]!.rowBytes })),
          pack(blocks, targets) {
            for (const [part, { pack }] of parts.entries()) pack(blocks, targets[part]!);
          },
        };
        file.tensors.push({
          source,
          name,
          scheme,
          offset: places[0]!.offset,
          packing,
          ...(roundsRows && { byRow }),
          ...(importance && { importance }),
          ...(feedback && { feedback }),
        });
        result = places;
      },
    );
    this.#packed.set(name, result);
    return result;
  }

  /** A constant that is made here. */
  computed(name: string, type: ElementType, shape: readonly number[], bytes: Uint8Array): string {
    this.#data.place([bytes.length], (file, [place]) => {
      file.head.push({ offset: place!.offset, bytes });
      this.graph.external(name, type, shape, place!);
    });
    return name;
  }
}

/** Bytes of one row in a scheme of blocks, its last block whole. */
export function paddedRowBytes(tensor: Tensor, scheme: SchemeName): number {
  const { blockSize } = SCHEMES[scheme];
  return schemeBytes(scheme, Math.ceil(columnCount(tensor) / blockSize) * blockSize);
}
