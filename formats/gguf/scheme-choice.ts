import type { TensorType } from '../../src/core/export-plan.ts';
import type { Role, TensorSlot } from '../../src/core/names.ts';
import { fitsScheme, SCHEMES, type SchemeName } from '../../src/core/scheme.ts';
import { columnCount } from '../../src/core/tensor.ts';
import { PatternList } from '../../src/core/text/name-pattern.ts';
import { LAYER_RANGES } from './layer-ranges.ts';
import type { Recipe, Rule } from './recipes.ts';

/**
 * Which llama.cpp decides on `attn_kv_b`: that of today, which counts it among the matrices of values, or
 * that of March 2025, which made the files that PLM-Team published and gave it the base scheme everywhere.
 */
export const KV_B_RULES = ['current', '2025-03'] as const;

export type KvBRule = (typeof KV_B_RULES)[number];

/** Options that change the choices of a recipe. */
export interface SchemeOptions {
  /** The embedding's scheme, before all else. */
  readonly tokenEmbedding?: SchemeName;
  /** By GGUF names, before the recipe's rules; the first that matches wins. */
  readonly tensorTypes?: readonly TensorType[];
  /** Every other matrix in the base scheme of the recipe. */
  readonly pure?: boolean;
  /** Left out: `current`. */
  readonly kvBRule?: KvBRule;
}

/** Scheme that a recipe wants for a tensor, and the one that its row length allows. */
export interface SchemeChoice {
  readonly wanted: SchemeName;
  readonly used: SchemeName;
}

/**
 * Chooses schemes as llama-quantize does. Ask for the tensors in the order of `plmTensors`: like
 * llama-quantize, it counts layers by the tensors of a role that the recipe has decided on, so that a
 * `TensorType` in one layer moves the ranges of the others.
 * @throws PressError as `PatternList` does.
 */
export class SchemeChooser {
  readonly #recipe: Recipe;
  readonly #rules: readonly Rule[];
  readonly #layers: number;
  readonly #options: SchemeOptions;
  readonly #patterns: PatternList<SchemeName>;
  readonly #decided = new Map<Role, number>();

  constructor(recipe: Recipe, layers: number, hasImatrix: boolean, options: SchemeOptions) {
    this.#recipe = recipe;
    this.#layers = layers;
    this.#options = options;
    this.#rules = recipe.rules.filter((rule) => rule.imatrix === undefined || rule.imatrix === hasImatrix);
    this.#patterns = new PatternList(
      (options.tensorTypes ?? []).map(({ pattern, scheme }) => [pattern, scheme]),
    );
  }

  choose(slot: TensorSlot): SchemeChoice {
    if (slot.shape.length < 2) return { wanted: 'F32', used: 'F32' };
    const wanted = this.#byUser(slot) ?? this.#byRecipe(slot);
    return { wanted, used: fittingScheme(wanted, columnCount(slot)) };
  }

  /** Tensor types that decided for no tensor. */
  get idleTypes(): TensorType[] {
    return (this.#options.tensorTypes ?? []).filter((_, index) => !this.#patterns.isUsed(index));
  }

  #byUser({ role, ggufName }: TensorSlot): SchemeName | undefined {
    const { tokenEmbedding } = this.#options;
    if (role === 'embed_tokens' && tokenEmbedding !== undefined) return tokenEmbedding;
    // llama-quantize ignores tensor types where the base is a float; who gives one wants it.
    return this.#patterns.find(ggufName!);
  }

  #byRecipe({ role }: TensorSlot): SchemeName {
    const { pure = false, kvBRule = 'current' } = this.#options;
    if (pure) return this.#recipe.base;
    const index = this.#decided.get(role) ?? 0;
    this.#decided.set(role, index + 1);
    const rule = this.#rules.find(({ roles, layers }) => {
      if (roles !== undefined && !roles.includes(role)) return false;
      if (roles !== undefined && role === 'kv_b_proj' && kvBRule === '2025-03') return false;
      return layers === undefined || LAYER_RANGES[layers](index, this.#layers);
    });
    return rule?.scheme ?? this.#recipe.base;
  }
}

/** Where blocks of a scheme do not divide a row, llama-quantize takes a scheme of smaller blocks. */
const SMALLER_BLOCKS: Partial<Record<SchemeName, SchemeName>> = {
  Q2_K: 'Q4_0',
  Q3_K: 'Q4_0',
  Q4_K: 'Q5_0',
  Q5_K: 'Q5_1',
  Q6_K: 'Q8_0',
  IQ1_S: 'IQ4_NL',
  IQ1_M: 'IQ4_NL',
  IQ2_XXS: 'IQ4_NL',
  IQ2_XS: 'IQ4_NL',
  IQ2_S: 'IQ4_NL',
  IQ3_XXS: 'IQ4_NL',
  IQ3_S: 'IQ4_NL',
  IQ4_XS: 'IQ4_NL',
  TQ1_0: 'Q4_0',
  TQ2_0: 'Q4_0',
};

/** F16 is the last resort, also where llama-quantize would give up (rows that 32 does not divide). */
function fittingScheme(wanted: SchemeName, columns: number): SchemeName {
  let scheme: SchemeName | undefined = wanted;
  while (scheme !== undefined && !fitsScheme(scheme, columns)) scheme = SMALLER_BLOCKS[scheme];
  return scheme ?? 'F16';
}

/** Schemes that are useless without importances (ggml, `ggml_quantize_requires_imatrix`). */
const NEED_IMPORTANCE: readonly SchemeName[] = ['IQ1_S', 'IQ1_M', 'IQ2_XXS', 'IQ2_XS', 'IQ2_S', 'IQ3_XXS'];

/** Whether llama-quantize refuses to store a tensor in `scheme` without importances. */
export function needsImportance({ role }: TensorSlot, scheme: SchemeName, recipe: Recipe): boolean {
  if (role === 'embed_tokens') return false;
  return NEED_IMPORTANCE.includes(scheme) || (recipe.needsImatrix === true && scheme === recipe.base);
}

/** Schemes of blocks, which round; the others are floats. */
export function isQuantized(scheme: SchemeName): boolean {
  return SCHEMES[scheme].blockSize > 1;
}
