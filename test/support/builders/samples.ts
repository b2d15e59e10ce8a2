import { SCHEMES, type SchemeName } from '../../../src/core/scheme.ts';

/** Deterministic noise for tests: mulberry32, uniform in [0, 1). */
export function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Standard normal values by Box and Muller. */
export function gaussian(seed: number): () => number {
  const next = uniform(seed);
  return () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
}

export function floats(count: number, value: (index: number) => number): Float32Array {
  return Float32Array.from({ length: count }, (_, index) => value(index));
}

const FLT_MAX = 3.4028234663852886e38;

/** Keeps the upper 16 bits, as weights of a bf16 checkpoint. */
export function truncateToBfloat(values: Float32Array): Float32Array {
  const bits = new Uint32Array(values.buffer.slice(values.byteOffset, values.byteOffset + values.byteLength));
  return new Float32Array(bits.map((word) => word & 0xffff0000).buffer);
}

/** Where the halves of a block have their upper bytes. An infinite or NaN scale tells nothing apart. */
const UPPER_BYTES: Readonly<Partial<Record<SchemeName, readonly number[]>>> = {
  Q4_1: [1, 3],
  Q5_1: [1, 3],
  Q2_K: [81, 83],
  Q3_K: [109],
  Q4_K: [1, 3],
  Q5_K: [1, 3],
  Q6_K: [209],
  IQ1_M: [55],
  TQ1_0: [53],
  TQ2_0: [65],
  MXFP4: [],
};

/** Random blocks of a scheme: every code, sign and scale comes up, but no half that is infinite or NaN. */
export function arbitraryBlocks(scheme: SchemeName, bytes: number): Uint8Array {
  const next = uniform(11);
  const blocks = new Uint8Array(bytes).map(() => next() * 256);
  const { blockBytes } = SCHEMES[scheme];
  for (let block = 0; block < bytes; block += blockBytes) {
    for (const at of UPPER_BYTES[scheme] ?? [1]) blocks[block + at]! &= 0xbf;
  }
  return blocks;
}

/**
 * Importances of columns as an imatrix holds them: positive, over several orders of magnitude, some equal to
 * 0.
 */
export function importances(columns: number, seed = 12): Float32Array {
  const next = gaussian(seed);
  return floats(columns, (i) => (i % 61 === 60 ? 0 : Math.exp(2 * next())));
}

/** Runs of weights that block quantizers meet, and some that they should never meet. */
export const WEIGHT_SAMPLES: Readonly<Record<string, (count: number) => Float32Array>> = {
  Gaussian: (count) => {
    const next = gaussian(1);
    return floats(count, () => 0.02 * next());
  },
  'Gaussian in bf16': (count) => {
    const next = gaussian(2);
    return truncateToBfloat(floats(count, () => 0.02 * next()));
  },
  'heavy-tailed': (count) => {
    const next = gaussian(3);
    return floats(count, () => 0.01 * next() ** 5);
  },
  constant: (count) => floats(count, (i) => (i % 512 < 256 ? 0.37 : -0.37)),
  zero: (count) => floats(count, (i) => (i % 3 === 0 ? -0 : 0)),
  // From the smallest denormal up: the inverse scale of the first blocks overflows to infinity.
  denormal: (count) => {
    const next = gaussian(4);
    return floats(count, (i) => next() * 2 ** (-149 + Math.floor(i / 32)));
  },
  'largest floats': (count) => {
    const next = uniform(5);
    return floats(count, (i) => (i % 5 === 0 ? FLT_MAX : -FLT_MAX) * (i % 256 < 128 ? 1 : next()));
  },
  'one outlier a block': (count) => {
    const next = gaussian(6);
    return floats(count, (i) => (i % 32 === (i >> 5) % 32 ? 50 : 0.01) * next());
  },
  sparse: (count) => {
    const next = uniform(7);
    return floats(count, () => (next() < 0.97 ? 0 : next() - 0.5));
  },
  // Ties: the first of two weights of the same largest magnitude decides the sign of q4_0's scale.
  'small integers': (count) => {
    const next = uniform(8);
    return floats(count, () => Math.floor(next() * 17) - 8);
  },
  'a group of zeros among others': (count) => {
    const next = gaussian(9);
    return floats(count, (i) => ((i >> 4) % 3 === 1 ? 0 : next()));
  },
  // Groups 100000 times smaller than their neighbours: their scale rounds to zero.
  'uneven groups': (count) => {
    const next = gaussian(10);
    return floats(count, (i) => next() * ((i >> 4) % 4 === 0 ? 1 : 1e-5));
  },
};

type Next = () => number;

/** Distributions of one row, each scaled by `scale`: uniform and normal noise in, weight i out. */
const ROW_KINDS: readonly ((scale: number, normal: Next, uniform: Next) => (index: number) => number)[] = [
  (scale, normal) => () => scale * normal(),
  (scale, normal) => () => scale * normal() ** 3,
  (scale, normal) => () => scale * normal() ** 5,
  (scale, _, uniform) => () => scale * (2 * uniform() - 1),
  (scale, normal, uniform) => () => (uniform() < 0.95 ? 0 : scale * normal()),
  (scale, normal) => () => scale * Math.max(0, normal()) ** 2,
  (scale) => () => scale,
  () => (i) => (i % 2 === 0 ? 0 : -0),
  (_, normal) => (i) => normal() * 2 ** (-149 + (i % 40)),
  (scale, normal) => (i) => (i % 32 === 7 ? 1000 : 1) * scale * normal(),
  (scale, _, uniform) => () => scale * Math.round(16 * uniform() - 8),
  (scale, normal) => (i) => scale * normal() * 10 ** -((i >> 4) % 6),
];

/** Rows that each have a distribution, a scale and perhaps the precision of bf16 of their own. */
export function mixedRows(rows: number, columns: number, seed: number): Float32Array {
  const next = uniform(seed);
  const normal = gaussian(seed + 1);
  const weights = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const scale = 10 ** (8 * next() - 6);
    const weight = ROW_KINDS[Math.floor(next() * ROW_KINDS.length)]!(scale, normal, next);
    const values = floats(columns, weight);
    weights.set(next() < 0.5 ? truncateToBfloat(values) : values, row * columns);
  }
  return weights;
}
