import { invalidInput, unsupported } from '../../src/core/errors.ts';
import {
  type InputStatistics,
  type Moments,
  type NeuronStatistics,
  SAMPLE_WORDS,
  type Statistics,
  triangleChannels,
  triangleSize,
} from '../../src/core/statistics.ts';
import { elementCount } from '../../src/core/tensor.ts';
import type { InputFile } from '../../src/io/input-file.ts';
import { Fields } from '../gguf/container/fields.ts';
import { readGguf } from '../gguf/container/reader.ts';
import { type GgufTensorInfo, MAGIC } from '../gguf/container/types.ts';
import { COUNTS, DATASETS_KEY, SUMS } from './gguf-form.ts';
import { EXTRA_SUFFIXES, TEXT_KEY } from './writer.ts';

/** Bytes of a row of second moments that are read at once, many rows together. */
const READ_BYTES = 4 << 20;
const F32 = 0;
/** What rounding to f32 may add to products, of themselves. */
const ROUNDING = 1e-5;

/**
 * Reads the statistics of `plmpress calibrate`. Second moments are read from `file` when they are asked for,
 * which must stay open until then.
 * @throws PressError unsupported for importance matrices of other tools; invalid-input naming the tensor.
 */
export async function readStatistics(file: InputFile): Promise<Statistics> {
  const start = new Uint8Array(Math.min(MAGIC.length, file.bytes));
  await file.readInto(start, 0);
  if (Buffer.from(start).toString('latin1') !== MAGIC) throw notOurs(file.name);
  const { metadata, tensors } = await readGguf(file);
  const infos = new Map(tensors.map((info) => [info.name, info]));
  const reader = new StatisticsReader(file, infos);
  const layers = [...infos.keys()].filter((name) => name.endsWith(EXTRA_SUFFIXES.firings)).length;
  if (layers === 0) throw notOurs(file.name);
  const tokens = (await reader.values(`blk.0.ffn_down.weight${COUNTS}`, [1, 1]))[0]!;
  if (!(tokens > 0)) throw reader.fault(`blk.0.ffn_down.weight${COUNTS}`, 'value', tokens, 'above 0');
  const inputs = new Map<string, InputStatistics>();
  for (const suffix of [SUMS, EXTRA_SUFFIXES['extra-input']]) {
    for (const matrix of reader.matricesWith(suffix)) {
      const squares = await reader.means(matrix + suffix, tokens);
      const moments = reader.moments(matrix + EXTRA_SUFFIXES.moments, tokens);
      inputs.set(matrix, {
        channels: squares.length,
        turn: 0,
        meanSquares: async () => squares,
        ...(moments && { moments }),
      });
    }
  }
  for (const matrix of reader.matricesWith(COUNTS)) await reader.assertCount(matrix + COUNTS, tokens);
  const neurons: NeuronStatistics[] = [];
  for (let layer = 0; layer < layers; layer++) neurons.push(await readNeurons(reader, layer, tokens));
  return {
    name: file.name,
    sha256: await file.sha256(),
    ...textOf(new Fields(file.name, metadata)),
    tokens,
    inputs,
    widths: neurons.map(({ firings }) => firings.length),
    neurons: () => neurons,
  };
}

/** Files of before have no hash of their text. */
function textOf(fields: Fields): Pick<Statistics, 'text'> {
  const sha256 = fields.optional(TEXT_KEY, 'string');
  if (sha256 === undefined) return {};
  return { text: { name: fields.list(DATASETS_KEY, 'string').join(', '), sha256 } };
}

function notOurs(file: string) {
  return unsupported({
    file,
    what: 'no statistics of FFN neurons',
    expected: 'a file of plmpress calibrate',
  });
}

async function readNeurons(
  reader: StatisticsReader,
  layer: number,
  tokens: number,
): Promise<NeuronStatistics> {
  const [up, down] = [`blk.${layer}.ffn_up.weight`, `blk.${layer}.ffn_down.weight`];
  const firings = await reader.values(up + EXTRA_SUFFIXES.firings);
  const width = firings.length;
  const fired = await reader.words(up + EXTRA_SUFFIXES.fired, [SAMPLE_WORDS, width]);
  const outputSquares = await reader.means(down + EXTRA_SUFFIXES.output, tokens);
  return {
    firings,
    means: await reader.means(down + EXTRA_SUFFIXES.sums, tokens, [width]),
    meanSquares: await reader.means(down + SUMS, tokens, [width, 1]),
    fired,
    outputSquares,
  };
}

interface StoredMoments {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
  readonly tokens: number;
}

class StatisticsReader {
  readonly #file: InputFile;
  readonly #infos: ReadonlyMap<string, GgufTensorInfo>;

  constructor(file: InputFile, infos: ReadonlyMap<string, GgufTensorInfo>) {
    this.#file = file;
    this.#infos = infos;
  }

  fault(name: string, what: string, got: unknown, expected: string) {
    return invalidInput({
      file: this.#file.name,
      field: `tensor ${JSON.stringify(name)}`,
      what,
      got,
      expected,
    });
  }

  matricesWith(suffix: string): string[] {
    const names = [...this.#infos.keys()].filter((name) => name.endsWith(suffix));
    return names.map((name) => name.slice(0, -suffix.length));
  }

  /** Values from 0 up of a tensor of `dims`, row length first; of any shape where that is left out. */
  async values(name: string, dims?: readonly number[]): Promise<Float32Array> {
    const { offset, bytes } = this.#info(name, dims);
    const stored = new Uint8Array(bytes);
    await this.#file.readInto(stored, offset);
    return this.#usable(name, 'value', new Float32Array(stored.buffer));
  }

  /** Values of a tensor as sums over `tokens`. */
  async means(name: string, tokens: number, dims?: readonly number[]): Promise<Float32Array> {
    const sums = await this.values(name, dims);
    return this.#usable(
      name,
      'mean',
      sums.map((sum) => sum / tokens),
    );
  }

  /** Throws where a number of tokens is not that of the whole file. */
  async assertCount(name: string, tokens: number): Promise<void> {
    const [count] = await this.values(name, [1, 1]);
    if (count !== tokens) throw this.fault(name, 'value', count, `${tokens}, as of the other matrices`);
  }

  /** Values of a tensor as words of 16 bits. */
  async words(name: string, dims: readonly number[]): Promise<Uint16Array> {
    const values = await this.values(name, dims);
    const words = Uint16Array.from(values);
    const broken = values.findIndex((value, i) => value !== words[i]);
    if (broken < 0) return words;
    throw this.fault(`${name}[${broken}]`, 'value', values[broken], 'an integer of 16 bits');
  }

  #usable(name: string, what: string, values: Float32Array): Float32Array {
    const broken = values.findIndex((value) => !(value >= 0 && value < Infinity));
    if (broken < 0) return values;
    throw this.fault(`${name}[${broken}]`, what, values[broken], 'a finite number from 0 up');
  }

  /** Undefined where there are none. */
  moments(name: string, tokens: number): Moments | undefined {
    if (!this.#infos.has(name)) return undefined;
    const info = this.#info(name);
    const count = elementCount({ shape: info.dims });
    const size = triangleChannels(count);
    if (!Number.isInteger(size)) throw this.fault(name, 'elements', count, 'a triangle');
    return {
      size,
      triangle: (order, signal, into = new Float64Array(triangleSize(order.length))) =>
        this.#triangle({ name, offset: info.offset, size, tokens }, order, signal, into),
    };
  }

  /** Reads the stored triangle once, front to back, and puts every entry that is asked for into its place. */
  async #triangle(
    { name, offset, size, tokens }: StoredMoments,
    order: ArrayLike<number>,
    signal: AbortSignal | undefined,
    triangle: Float64Array,
  ): Promise<Float64Array> {
    const places = new Int32Array(size).fill(-1);
    for (let place = 0; place < order.length; place++) places[order[place]!] = place;
    for (let row = 0, at = offset; row < size; ) {
      signal?.throwIfAborted();
      const rows = Math.max(1, Math.min(size - row, Math.floor(READ_BYTES / (4 * (size - row)))));
      const entries = rows * (size - row) - (rows * (rows - 1)) / 2;
      const stored = new Uint8Array(4 * entries);
      await this.#file.readInto(stored, at);
      const values = new Float32Array(stored.buffer);
      for (let i = row, first = 0; i < row + rows; first += size - i, i++) {
        if (places[i]! < 0) continue;
        const a = places[i]!;
        for (let j = i; j < size; j++) {
          const b = places[j]!;
          if (b < 0) continue;
          const value = values[first + j - i]!;
          if (!Number.isFinite(value)) throw this.fault(name, `entry [${i}, ${j}]`, value, 'a finite number');
          if (i === j && value < 0)
            throw this.fault(name, `entry [${i}, ${i}]`, value, 'a square, from 0 up');
          const entry = a > b ? (a * (a + 1)) / 2 + b : (b * (b + 1)) / 2 + a;
          triangle[entry] = value / tokens;
        }
      }
      at += 4 * entries;
      row += rows;
    }
    this.#assertMoments(name, triangle, order);
    return triangle;
  }

  /** Throws where a product of two channels is larger than their squares allow (Cauchy and Schwarz). */
  #assertMoments(name: string, triangle: Float64Array, order: ArrayLike<number>): void {
    const square = (place: number) => triangle[(place * (place + 1)) / 2 + place]!;
    for (let a = 0, at = 0; a < order.length; a++) {
      for (let b = 0; b <= a; b++, at++) {
        const most = Math.sqrt(square(a) * square(b));
        if (Math.abs(triangle[at]!) <= most * (1 + ROUNDING)) continue;
        const [i, j] = [order[b]!, order[a]!].toSorted((x, y) => x - y);
        throw this.fault(name, `mean of entry [${i}, ${j}]`, triangle[at], `at most ${most} by its squares`);
      }
    }
  }

  #info(name: string, dims?: readonly number[]): GgufTensorInfo {
    const info = this.#infos.get(name);
    if (info === undefined) throw this.fault(name, 'missing', undefined, 'a tensor');
    if (info.type !== F32) throw this.fault(name, 'ggml type', info.type, 'F32');
    if (dims !== undefined && info.dims.join() !== dims.join())
      throw this.fault(name, 'shape', info.dims, `[${dims.join(', ')}]`);
    return info;
  }
}
