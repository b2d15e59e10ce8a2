import { invalidInput } from '../../src/core/errors.ts';
import type { Statistic, StatisticSlot } from '../../src/core/statistic.ts';
import { type KeyValue, layoutGguf } from '../gguf/writer.ts';
import { datasetName } from './entries.ts';
import { COUNTS, SUMS } from './gguf-form.ts';

/** Where statistics come from. */
export interface Calibrated {
  /** Names or paths of texts; of paths only the base name is written. */
  readonly datasets: readonly string[];
  readonly chunks: number;
  /** Tokens of a chunk. */
  readonly chunkSize: number;
}

/**
 * Suffixes of the tensors that llama.cpp knows nothing of. It pairs names that end in `.in_sum2` and `.counts` and
 * leaves all others alone, so these end otherwise.
 */
const EXTRA_SUFFIXES = { 'extra-input': '.plmpress_sum2', firings: '.plmpress_firings' } as const;

interface FileTensor {
  readonly name: string;
  /** Row-major. */
  readonly shape: readonly number[];
  /** Undefined for the number of tokens. */
  readonly slot: StatisticSlot | undefined;
}

/** Exact size of the file, before anything has been measured. */
export function imatrixBytes(calibrated: Calibrated, slots: readonly StatisticSlot[]): number {
  return layout(calibrated, fileTensors(slots)).bytes;
}

/**
 * The GGUF form of llama-imatrix (llama.cpp pull request 9400): sums and counts by name of the matrix, then our extras.
 * @throws PressError invalid-input for sums that f32 does not hold, as of a model whose activations overflow.
 */
export function encodeImatrix(
  calibrated: Calibrated,
  statistics: readonly Statistic[],
  tokens: number,
): Uint8Array {
  const tensors = fileTensors(statistics);
  const { header, offsets, bytes } = layout(calibrated, tensors);
  const file = new Uint8Array(bytes);
  file.set(header);
  tensors.forEach(({ name, slot }, index) => {
    const values = Float32Array.from(slot === undefined ? [tokens] : slot.values);
    const broken = values.findIndex((value) => !Number.isFinite(value));
    if (broken >= 0) {
      throw invalidInput({ field: `${name}[${broken}]`, what: 'sum is not finite', got: values[broken] });
    }
    file.set(new Uint8Array(values.buffer), offsets[index]);
  });
  return file;
}

function layout({ datasets, chunks, chunkSize }: Calibrated, tensors: readonly FileTensor[]) {
  const metadata: KeyValue[] = [
    ['general.type', { type: 'string', value: 'imatrix' }],
    ['imatrix.datasets', { type: 'array', items: 'string', value: datasets.map(datasetName) }],
    ['imatrix.chunk_count', { type: 'u32', value: chunks }],
    ['imatrix.chunk_size', { type: 'u32', value: chunkSize }],
  ];
  return layoutGguf(
    metadata,
    tensors.map(({ name, shape }) => ({ name, shape, scheme: 'F32' })),
  );
}

function fileTensors<S extends StatisticSlot>(slots: readonly S[]) {
  const inputs = slots.filter(({ kind }) => kind === 'input').toSorted(byName);
  const extras = slots.flatMap((slot) =>
    slot.kind === 'input' ? [] : [{ name: slot.matrix + EXTRA_SUFFIXES[slot.kind], slot }],
  );
  return [
    ...inputs.flatMap((slot) => [
      { name: slot.matrix + SUMS, shape: [1, ...slot.shape], slot },
      { name: slot.matrix + COUNTS, shape: [1, 1], slot: undefined },
    ]),
    ...extras
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ name, slot }) => ({ name, shape: slot.shape, slot })),
  ];
}

/** As std::map orders names in llama-imatrix: by bytes, so blk.10 stands before blk.2. */
function byName(a: StatisticSlot, b: StatisticSlot): number {
  return a.matrix < b.matrix ? -1 : 1;
}
