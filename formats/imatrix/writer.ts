import { invalidInput } from '../../src/core/errors.ts';
import type { StatisticSlot } from '../../src/core/statistic-slot.ts';
import { type KeyValue, layoutGguf } from '../gguf/container/writer.ts';
import { datasetName } from './entries.ts';
import { COUNTS, DATASETS_KEY, SUMS } from './gguf-form.ts';

/** Where statistics come from. */
export interface Calibrated {
  /** Names or paths of texts; of paths only the base name is written. */
  readonly datasets: readonly string[];
  /** The weight of the tokens of each text. */
  readonly weights: readonly number[];
  readonly chunks: number;
  /** Tokens of a chunk. */
  readonly chunkSize: number;
  /** SHA-256 of the tokens, in hex. */
  readonly sha256: string;
}

/**
 * Suffixes of the tensors that llama.cpp knows nothing of. It pairs names that end in `.in_sum2` and
 * `.counts` and leaves all others alone, so these end otherwise.
 */
export const EXTRA_SUFFIXES = {
  'extra-input': '.plmpress_sum2',
  sums: '.plmpress_sums',
  output: '.plmpress_out_sum2',
  firings: '.plmpress_firings',
  fired: '.plmpress_fired',
  moments: '.plmpress_moments',
} as const;

/** Metadata key of the SHA-256 of the tokens. */
export const TEXT_KEY = 'plmpress.text_sha256';

/** Metadata key of the weights of texts, f32; left out where all weigh 1. */
export const WEIGHTS_KEY = 'plmpress.text_weights';

/** A tensor of the file that is to be written. */
export interface PlannedStatistic<S extends StatisticSlot> {
  readonly name: string;
  /** Row-major. */
  readonly shape: readonly number[];
  /** Undefined for the number of tokens. */
  readonly slot: S | undefined;
  /** Byte offset in the file. */
  readonly offset: number;
}

/** The file, known before anything has been measured. */
export interface ImatrixPlan<S extends StatisticSlot> {
  readonly header: Uint8Array;
  readonly bytes: number;
  readonly tensors: readonly PlannedStatistic<S>[];
}

/**
 * The GGUF form of llama-imatrix (llama.cpp pull request 9400): sums and counts by name of the matrix, then
 * our extras.
 */
export function planImatrix<S extends StatisticSlot>(
  calibrated: Calibrated,
  slots: readonly S[],
): ImatrixPlan<S> {
  const tensors = fileTensors(slots);
  const entries = tensors.map(({ name, shape }) => ({ name, shape, scheme: 'F32' as const }));
  const { header, offsets, bytes } = layoutGguf(metadataOf(calibrated), entries);
  return { header, bytes, tensors: tensors.map((tensor, i) => ({ ...tensor, offset: offsets[i]! })) };
}

/**
 * Values as the file holds them, of which the first is number `first` of the tensor `name`.
 * @throws PressError invalid-input for sums that f32 does not hold, as of a model whose activations overflow.
 */
export function encodeValues(name: string, values: ArrayLike<number>, first = 0): Uint8Array {
  const floats = new Float32Array(values);
  const broken = floats.findIndex((value) => !Number.isFinite(value));
  if (broken >= 0) {
    const field = `${name}[${first + broken}]`;
    throw invalidInput({ field, what: 'sum is not finite', got: floats[broken] });
  }
  return new Uint8Array(floats.buffer);
}

function metadataOf({ datasets, weights, chunks, chunkSize, sha256 }: Calibrated): KeyValue[] {
  const metadata: KeyValue[] = [
    ['general.type', { type: 'string', value: 'imatrix' }],
    [DATASETS_KEY, { type: 'array', items: 'string', value: datasets.map(datasetName) }],
    ['imatrix.chunk_count', { type: 'u32', value: chunks }],
    ['imatrix.chunk_size', { type: 'u32', value: chunkSize }],
    [TEXT_KEY, { type: 'string', value: sha256 }],
  ];
  if (weights.every((weight) => weight === 1)) return metadata;
  return [...metadata, [WEIGHTS_KEY, { type: 'array', items: 'f32', value: [...weights] }]];
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
