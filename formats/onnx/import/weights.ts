import { invalidInput, type PressError, unsupported } from '../../../src/core/errors.ts';
import type { StoredForm } from '../../../src/core/model.ts';
import type { TensorSlot } from '../../../src/core/names.ts';
import { columnCount, type Tensor } from '../../../src/core/tensor.ts';
import { FileTensor } from '../../../src/io/file-tensor.ts';
import type { InputFile } from '../../../src/io/input-file.ts';
import { type ElementType, type Initializer, isExternal } from '../../../src/onnx/graph.ts';
import { cropColumns, padToBlocks } from '../../../src/passes/rows/whole-blocks.ts';
import { BLOCK_BITS, BLOCK_SIZE, type BlockScheme, codeBytes } from '../../../src/schemes/block-planes.ts';
import { BlockTensor, type Piece, type Run } from './block-tensor.ts';

/** An open file of weights and its index in `Model.files`. */
export interface OpenData {
  readonly file: InputFile;
  readonly index: number;
}

const FLOAT_SCHEMES: Partial<Record<ElementType, 'F32' | 'F16'>> = { float: 'F32', float16: 'F16' };

export interface GraphTensors {
  /** As models have them, by Hugging Face name. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** As the graph stores them. */
  readonly stored: StoredForm;
}

/**
 * Finds the weights of a model among the initializers of a graph, by the names that the exporter gives them.
 */
export class GraphWeights {
  readonly #graphFile: string;
  readonly #left: Map<string, Initializer>;
  readonly #data: ReadonlyMap<string, OpenData>;

  /** `data` holds the files that initializers lie in, by their locations. */
  constructor(graphFile: string, initializers: readonly Initializer[], data: ReadonlyMap<string, OpenData>) {
    this.#graphFile = graphFile;
    this.#left = new Map(initializers.filter(({ data }) => isExternal(data)).map((one) => [one.name, one]));
    this.#data = data;
  }

  /**
   * The tensors of a geometry. Rows that are not a whole number of blocks come decoded, for no scheme holds
   * them.
   * @throws PressError invalid-input where one is missing or of another shape.
   */
  tensors(slots: readonly TensorSlot[]): GraphTensors {
    const stored = new Map(slots.map((slot): [string, Tensor] => [slot.name, this.#tensor(slot)]));
    const tensors = new Map(
      slots.map((slot): [string, Tensor] => [
        slot.name,
        cropColumns(stored.get(slot.name)!, columnCount(slot)),
      ]),
    );
    const of = ({ name }: TensorSlot, tensor: Tensor) =>
      columnCount(stored.get(name)!) === columnCount(tensor) ? tensor : padToBlocks(tensor, BLOCK_SIZE);
    return { tensors, stored: { tensors: stored, of } };
  }

  #tensor(slot: TensorSlot): Tensor {
    const { name, shape } = slot;
    if (this.#left.has(name)) return this.#float(slot);
    const heads = shape.length === 3 ? shape[0]! : 1;
    const names = heads === 1 ? [name] : Array.from({ length: heads }, (_, head) => `${name}.${head}`);
    for (const scheme of ['Q4_0', 'Q8_0'] as const) {
      if (this.#left.has(`${names[0]}_Q${BLOCK_BITS[scheme]}`)) return this.#blocks(slot, names, scheme);
    }
    if (this.#left.has(`${names[0]}_quantized`)) return this.#rows(slot, names);
    throw this.#fault(name, 'missing');
  }

  /** Takes a constant that the importer does not need. */
  ignore(name: string): void {
    this.#left.delete(name);
  }

  /** @throws PressError unsupported where initializers are left that no tensor was made of. */
  assertAllTaken(): void {
    const [name] = this.#left.keys();
    if (name === undefined) return;
    const field = `initializer ${JSON.stringify(name)}`;
    throw unsupported({ file: this.#graphFile, field, what: 'is not a weight of a PLM' });
  }

  #float({ name, shape }: TensorSlot): Tensor {
    const { type } = this.#left.get(name)!;
    const scheme = FLOAT_SCHEMES[type];
    if (scheme === undefined) throw this.#fault(name, 'type of elements', type, 'float or float16');
    const { run, index } = this.#take(name, type, shape);
    return new FileTensor(run.file, { name, scheme, shape, origin: { file: index, offset: run.offset } });
  }

  #blocks(slot: TensorSlot, names: readonly string[], scheme: BlockScheme): Tensor {
    const blocks = Math.ceil(columnCount(slot) / BLOCK_SIZE);
    const rows = slot.shape.at(-2)!;
    const first = this.#left.get(`${names[0]}_scales`)?.type;
    const scaleType: ElementType = first === 'float16' ? 'float16' : 'float';
    return this.#packed(slot, {
      scheme,
      scaleType,
      storedColumns: blocks * BLOCK_SIZE,
      byRow: false,
      pieces: names.map((name) => ({
        codes: this.#take(`${name}_Q${BLOCK_BITS[scheme]}`, 'uint8', [rows, blocks, codeBytes(scheme)]),
        scales: this.#take(`${name}_scales`, scaleType, [rows, blocks]),
      })),
    });
  }

  #rows(slot: TensorSlot, names: readonly string[]): Tensor {
    const columns = columnCount(slot);
    const rows = slot.shape.at(-2)!;
    return this.#packed(slot, {
      scheme: 'Q8_0',
      scaleType: 'float',
      storedColumns: columns,
      byRow: true,
      pieces: names.map((name) => ({
        codes: this.#take(`${name}_quantized`, 'uint8', [rows, columns]),
        scales: this.#take(`${name}_scale`, 'float', [rows]),
      })),
    });
  }

  /** Rows end with a whole block. */
  #packed(slot: TensorSlot, layout: PackedLayout): Tensor {
    const columns = columnCount(slot);
    const padded = Math.ceil(columns / BLOCK_SIZE) * BLOCK_SIZE;
    const { pieces, scaleType, ...rest } = layout;
    const { index, run } = pieces[0]!.codes;
    return new BlockTensor({
      ...rest,
      name: slot.name,
      shape: [...slot.shape.slice(0, -1), padded],
      origin: { file: index, offset: run.offset },
      scaleBytes: scaleType === 'float16' ? 2 : 4,
      pieceRows: slot.shape.at(-2)!,
      pieces: pieces.map(({ codes, scales }): Piece => ({ codes: codes.run, scales: scales.run })),
    });
  }

  /** An initializer of a type and shape, once. */
  #take(name: string, type: ElementType, shape: readonly number[]): TakenRun {
    const found = this.#left.get(name);
    if (found === undefined) throw this.#fault(name, 'missing');
    this.#left.delete(name);
    const got = `${found.type} [${found.shape.join(', ')}]`;
    const expected = `${type} [${shape.join(', ')}] by the metadata`;
    if (got !== expected.replace(' by the metadata', ''))
      throw this.#fault(name, 'type and shape', got, expected);
    const { data } = found;
    if (!isExternal(data)) throw new Error(`initializer ${name} is inside the graph`);
    const { file, index } = this.#data.get(data.location)!;
    return { run: { file, offset: data.offset }, index };
  }

  #fault(name: string, what: string, got?: string, expected?: string): PressError {
    const field = `initializer ${JSON.stringify(name)}`;
    return invalidInput({
      file: this.#graphFile,
      field,
      what,
      ...(got && { got }),
      ...(expected && { expected }),
    });
  }
}

interface TakenRun {
  readonly run: Run;
  /** Of the file in `Model.files`. */
  readonly index: number;
}

interface PackedLayout {
  readonly scheme: BlockScheme;
  readonly scaleType: ElementType;
  readonly storedColumns: number;
  readonly byRow: boolean;
  readonly pieces: readonly { readonly codes: TakenRun; readonly scales: TakenRun }[];
}
