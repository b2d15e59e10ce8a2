import * as bf16 from './scheme-constants/bf16.ts';
import * as f16 from './scheme-constants/f16.ts';
import * as f32 from './scheme-constants/f32.ts';
import * as iq1_m from './scheme-constants/iq1_m.ts';
import * as iq1_s from './scheme-constants/iq1_s.ts';
import * as iq2_s from './scheme-constants/iq2_s.ts';
import * as iq2_xs from './scheme-constants/iq2_xs.ts';
import * as iq2_xxs from './scheme-constants/iq2_xxs.ts';
import * as iq3_s from './scheme-constants/iq3_s.ts';
import * as iq3_xxs from './scheme-constants/iq3_xxs.ts';
import * as iq4_nl from './scheme-constants/iq4_nl.ts';
import * as iq4_xs from './scheme-constants/iq4_xs.ts';
import * as mxfp4 from './scheme-constants/mxfp4.ts';
import * as q2_k from './scheme-constants/q2_k.ts';
import * as q3_k from './scheme-constants/q3_k.ts';
import * as q4_0 from './scheme-constants/q4_0.ts';
import * as q4_1 from './scheme-constants/q4_1.ts';
import * as q4_k from './scheme-constants/q4_k.ts';
import * as q5_0 from './scheme-constants/q5_0.ts';
import * as q5_1 from './scheme-constants/q5_1.ts';
import * as q5_k from './scheme-constants/q5_k.ts';
import * as q6_k from './scheme-constants/q6_k.ts';
import * as q8_0 from './scheme-constants/q8_0.ts';
import * as tq1_0 from './scheme-constants/tq1_0.ts';
import * as tq2_0 from './scheme-constants/tq2_0.ts';

/** How weights of a ggml type (ggml.h, enum ggml_type) are counted. */
export interface GgmlType {
  /** Its number in GGUF files. */
  readonly ggmlType: number;
  /** Weights per block. */
  readonly blockSize: number;
  /** Bytes per block. */
  readonly blockBytes: number;
}

interface Abilities {
  /** False for schemes that can only be read. */
  readonly canEncode: boolean;
  /** Whether codes of encoded weights can be chosen one by one, as error feedback does. */
  readonly hasGrid: boolean;
  /** Whether importances of columns change what is encoded. */
  readonly weighsErrors: boolean;
}

/**
 * A storage scheme of tensors: a ggml type, floats included. A row of a tensor is a whole number of blocks.
 * Decoders are in src/schemes, encoders in src/kernels/assembly.
 */
export interface SchemeInfo extends GgmlType, Abilities {
  /** Weights that share a scale. */
  readonly groupSize: number;
  /** Byte offsets of the f16 numbers that all weights of a block are proportional to: scales and mins. */
  readonly halves: readonly number[];
}

const ONLY_READ: Abilities = { canEncode: false, hasGrid: false, weighsErrors: false };
/** Weights are rounded to what follows from the largest of their block. */
const ROUNDED: Abilities = { canEncode: true, hasGrid: false, weighsErrors: false };
const ROUNDED_ON_GRID: Abilities = { canEncode: true, hasGrid: true, weighsErrors: false };
/** Scales are searched for. */
const SEARCHED: Abilities = { canEncode: true, hasGrid: true, weighsErrors: true };

export const SCHEMES = {
  F32: row(f32, ROUNDED),
  F16: row(f16, ROUNDED),
  Q4_0: row(q4_0, SEARCHED),
  Q4_1: row(q4_1, SEARCHED),
  Q5_0: row(q5_0, SEARCHED),
  Q5_1: row(q5_1, SEARCHED),
  Q8_0: row(q8_0, ROUNDED_ON_GRID),
  Q2_K: row(q2_k, SEARCHED),
  Q3_K: row(q3_k, SEARCHED),
  Q4_K: row(q4_k, SEARCHED),
  Q5_K: row(q5_k, SEARCHED),
  Q6_K: row(q6_k, SEARCHED),
  IQ2_XXS: row(iq2_xxs, ONLY_READ),
  IQ2_XS: row(iq2_xs, ONLY_READ),
  IQ3_XXS: row(iq3_xxs, ONLY_READ),
  IQ1_S: row(iq1_s, ONLY_READ),
  IQ4_NL: row(iq4_nl, SEARCHED),
  IQ3_S: row(iq3_s, ONLY_READ),
  IQ2_S: row(iq2_s, ONLY_READ),
  IQ4_XS: row(iq4_xs, SEARCHED),
  IQ1_M: row(iq1_m, ONLY_READ),
  BF16: row(bf16, ROUNDED),
  TQ1_0: row(tq1_0, ROUNDED),
  TQ2_0: row(tq2_0, ROUNDED),
  MXFP4: row(mxfp4, ROUNDED),
} satisfies Record<string, SchemeInfo>;

/** A module of scheme-constants/, which the kernels in AssemblyScript import as well. */
interface Constants {
  readonly GGML_TYPE: number;
  readonly BLOCK_SIZE: number;
  readonly BLOCK_BYTES: number;
  readonly GROUP_SIZE: number;
  readonly SCALE?: number;
  readonly OFFSET?: number;
  readonly MIN?: number;
}

function row(constants: Constants, abilities: Abilities): SchemeInfo {
  const { GGML_TYPE, BLOCK_SIZE, BLOCK_BYTES, GROUP_SIZE, SCALE, OFFSET, MIN } = constants;
  return {
    ggmlType: GGML_TYPE,
    blockSize: BLOCK_SIZE,
    blockBytes: BLOCK_BYTES,
    groupSize: GROUP_SIZE,
    halves: [SCALE, OFFSET, MIN].filter((offset) => offset !== undefined),
    ...abilities,
  };
}

export type SchemeName = keyof typeof SCHEMES;

const BY_GGML_TYPE: ReadonlyMap<number, SchemeName> = new Map(
  Object.entries(SCHEMES).map(([name, info]) => [info.ggmlType, name as SchemeName]),
);

export function schemeOfGgmlType(type: number): SchemeName | undefined {
  return BY_GGML_TYPE.get(type);
}

/** Schemes that can be written, by ggml type number. */
export const WRITTEN_SCHEMES: readonly SchemeName[] = (Object.keys(SCHEMES) as SchemeName[]).filter(
  (name) => SCHEMES[name].canEncode,
);

/** Bytes of `columns` weights in `scheme`. `columns` must be a multiple of the block size. */
export function schemeBytes(scheme: SchemeName, columns: number): number {
  const { blockSize, blockBytes } = SCHEMES[scheme];
  return (columns / blockSize) * blockBytes;
}

/** Whether a row of `columns` weights can be stored in `scheme`. */
export function fitsScheme(scheme: SchemeName, columns: number): boolean {
  return columns % SCHEMES[scheme].blockSize === 0;
}

/**
 * The scheme that a matrix has when it is transposed: floats keep theirs, blocks, which lie along rows,
 * become F32.
 */
export function transposedScheme(scheme: SchemeName): SchemeName {
  return SCHEMES[scheme].blockSize === 1 ? scheme : 'F32';
}

/** Average bits per weight, block scales included. */
export function bitsPerWeight(scheme: SchemeName): number {
  const { blockSize, blockBytes } = SCHEMES[scheme];
  return (blockBytes * 8) / blockSize;
}
