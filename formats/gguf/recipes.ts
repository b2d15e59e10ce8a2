import type { Role } from '../../src/core/names.ts';
import type { SchemeName } from '../../src/core/scheme.ts';
import { unknownName } from '../../src/core/text/unknown-name.ts';
import type { LayerRange } from './layer-ranges.ts';

/** An exception of a recipe: these matrices are stored in `scheme` instead of its base. */
export interface Rule {
  readonly scheme: SchemeName;
  /** Left out: every matrix. */
  readonly roles?: readonly Role[];
  /** Left out: in every layer. */
  readonly layers?: LayerRange;
  /** True: only with an importance matrix; false: only without one. */
  readonly imatrix?: boolean;
}

/** A file mixture: what llama-quantize calls an ftype. Norms and other vectors stay F32 in every recipe. */
export interface Recipe {
  readonly name: string;
  /** Another name that llama-quantize has for it. */
  readonly alias?: string;
  /** LLAMA_FTYPE number for `general.file_type`. */
  readonly fileType: number;
  /** Scheme of the matrices. */
  readonly base: SchemeName;
  /** Exceptions; the first that matches wins. */
  readonly rules: readonly Rule[];
  /** Set where llama-quantize stores the base only with importances. */
  readonly needsImatrix?: true;
}

/** A tied embedding is also the output matrix, which llama-quantize keeps at Q6_K below Q8_0. */
const EMBEDDING: Rule = { roles: ['embed_tokens'], scheme: 'Q6_K' };
/** To llama-quantize, the matrix that makes keys and values out of the latent is one of values. */
const KV_B = 'kv_b_proj';
const OUT = 'o_proj';
const DOWN = 'down_proj';

/**
 * The file types of llama-quantize that have an encoder here, with the rules of llama-quant.cpp for a dense
 * PLM.
 */
export const RECIPES: readonly Recipe[] = [
  { name: 'f32', fileType: 0, base: 'F32', rules: [] },
  { name: 'f16', fileType: 1, base: 'F16', rules: [] },
  { name: 'bf16', fileType: 32, base: 'BF16', rules: [] },
  { name: 'q8_0', fileType: 7, base: 'Q8_0', rules: [] },
  { name: 'q6_k', fileType: 18, base: 'Q6_K', rules: [] },
  {
    name: 'q5_k_m',
    alias: 'q5_k',
    fileType: 17,
    base: 'Q5_K',
    rules: [
      EMBEDDING,
      { roles: [KV_B, DOWN], layers: 'outer eighths and every third layer', scheme: 'Q6_K' },
    ],
  },
  { name: 'q5_k_s', fileType: 16, base: 'Q5_K', rules: [EMBEDDING] },
  {
    name: 'q4_k_m',
    alias: 'q4_k',
    fileType: 15,
    base: 'Q4_K',
    rules: [
      EMBEDDING,
      { roles: [KV_B, DOWN], layers: 'outer eighths and every third layer', scheme: 'Q6_K' },
    ],
  },
  {
    name: 'q4_k_s',
    fileType: 14,
    base: 'Q4_K',
    rules: [
      EMBEDDING,
      { roles: [KV_B], layers: 'first four layers', scheme: 'Q5_K' },
      { roles: [DOWN], layers: 'first eighth of layers', scheme: 'Q5_K' },
    ],
  },
  {
    name: 'q3_k_l',
    fileType: 13,
    base: 'Q3_K',
    rules: [EMBEDDING, { roles: [KV_B, OUT, DOWN], scheme: 'Q5_K' }],
  },
  {
    name: 'q3_k_m',
    alias: 'q3_k',
    fileType: 12,
    base: 'Q3_K',
    rules: [
      EMBEDDING,
      { roles: [KV_B], layers: 'first two layers', scheme: 'Q5_K' },
      { roles: [DOWN], layers: 'first sixteenth of layers', scheme: 'Q5_K' },
      { roles: [KV_B, OUT, DOWN], scheme: 'Q4_K' },
    ],
  },
  { name: 'q3_k_s', fileType: 11, base: 'Q3_K', rules: [EMBEDDING] },
  {
    name: 'q2_k',
    fileType: 10,
    base: 'Q2_K',
    rules: [EMBEDDING, { roles: [KV_B, OUT, DOWN], scheme: 'Q3_K' }],
  },
  {
    name: 'q2_k_s',
    fileType: 21,
    base: 'Q2_K',
    needsImatrix: true,
    rules: [EMBEDDING, { roles: [DOWN], layers: 'first eighth of layers', scheme: 'Q4_K' }],
  },
  {
    name: 'iq4_nl',
    fileType: 25,
    base: 'IQ4_NL',
    rules: [EMBEDDING, { roles: [DOWN], layers: 'first eighth of layers', imatrix: false, scheme: 'Q5_K' }],
  },
  {
    name: 'iq4_xs',
    fileType: 30,
    base: 'IQ4_XS',
    rules: [EMBEDDING, { roles: [DOWN], layers: 'first eighth of layers', imatrix: false, scheme: 'Q5_K' }],
  },
  { name: 'q5_1', fileType: 9, base: 'Q5_1', rules: [EMBEDDING] },
  {
    name: 'q5_0',
    fileType: 8,
    base: 'Q5_0',
    rules: [EMBEDDING, { roles: [DOWN], layers: 'first eighth of layers', imatrix: true, scheme: 'Q5_1' }],
  },
  { name: 'q4_1', fileType: 3, base: 'Q4_1', rules: [EMBEDDING] },
  {
    name: 'q4_0',
    fileType: 2,
    base: 'Q4_0',
    rules: [EMBEDDING, { roles: [DOWN], layers: 'first eighth of layers', imatrix: true, scheme: 'Q4_1' }],
  },
  { name: 'tq1_0', fileType: 36, base: 'TQ1_0', rules: [EMBEDDING] },
  { name: 'tq2_0', fileType: 37, base: 'TQ2_0', rules: [EMBEDDING] },
  {
    name: 'mxfp4_moe',
    alias: 'mxfp4',
    fileType: 38,
    base: 'MXFP4',
    // Its MXFP4 is for experts, which a PLM has not; llama-quantize knows them by three dimensions, as heads
    // have too.
    rules: [{ roles: ['k_b_proj', 'v_b_proj'], scheme: 'MXFP4' }, { scheme: 'Q8_0' }],
  },
];

/** The recipe of this name or alias in any case. Throws a usage error that lists the names. */
export function recipeNamed(name: string): Recipe {
  const wanted = name.toLowerCase();
  const recipe = RECIPES.find((candidate) => candidate.name === wanted || candidate.alias === wanted);
  if (recipe !== undefined) return recipe;
  throw unknownName(
    'GGUF recipe',
    name,
    RECIPES.map((known) => known.name),
  );
}
