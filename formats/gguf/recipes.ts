import { usage } from '../../src/core/errors.ts';
import type { Role, TensorSlot } from '../../src/core/names.ts';
import { fitsScheme, type SchemeName } from '../../src/core/scheme.ts';
import { columnCount } from '../../src/core/tensor.ts';

/** An exception of a recipe: these roles are stored in `scheme` instead of its base. */
interface Rule {
  readonly roles: readonly Role[];
  readonly scheme: SchemeName;
}

/** A file mixture: what llama-quantize calls an ftype. Norms and other vectors stay F32 in every recipe. */
export interface Recipe {
  readonly name: string;
  /** LLAMA_FTYPE number for `general.file_type`. */
  readonly fileType: number;
  /** Scheme of the matrices. */
  readonly base: SchemeName;
  /** Exceptions; the first that matches wins. */
  readonly rules: readonly Rule[];
}

/** A tied embedding is also the output matrix, which llama-quantize keeps at Q6_K below Q8_0 (llama-quant.cpp). */
const TIED_EMBEDDING: Rule = { roles: ['embed_tokens'], scheme: 'Q6_K' };

export const RECIPES: readonly Recipe[] = [
  { name: 'f32', fileType: 0, base: 'F32', rules: [] },
  { name: 'f16', fileType: 1, base: 'F16', rules: [] },
  { name: 'bf16', fileType: 32, base: 'BF16', rules: [] },
  { name: 'q8_0', fileType: 7, base: 'Q8_0', rules: [] },
  { name: 'q4_0', fileType: 2, base: 'Q4_0', rules: [TIED_EMBEDDING] },
];

/** The recipe of this name in any case. Throws a usage error that lists the names. */
export function recipeNamed(name: string): Recipe {
  const recipe = RECIPES.find((candidate) => candidate.name === name.toLowerCase());
  if (recipe !== undefined) return recipe;
  throw usage(`unknown GGUF recipe ${JSON.stringify(name)}`, RECIPES.map((known) => known.name).join(', '));
}

/** Scheme that a recipe wants for a tensor, and the one that its row length allows. */
export interface SchemeChoice {
  readonly wanted: SchemeName;
  readonly used: SchemeName;
}

export function chooseScheme(recipe: Recipe, slot: TensorSlot): SchemeChoice {
  if (slot.shape.length < 2) return { wanted: 'F32', used: 'F32' };
  const wanted = recipe.rules.find((rule) => rule.roles.includes(slot.role))?.scheme ?? recipe.base;
  return { wanted, used: fittingScheme(wanted, columnCount(slot)) };
}

/** Where blocks of a scheme do not divide a row, llama-quantize takes a scheme of smaller blocks. */
const SMALLER_BLOCKS: Partial<Record<SchemeName, SchemeName>> = { Q6_K: 'Q8_0' };

/** F16 is the last resort, also where llama-quantize would give up (rows that 32 does not divide). */
function fittingScheme(wanted: SchemeName, columns: number): SchemeName {
  let scheme: SchemeName | undefined = wanted;
  while (scheme !== undefined && !fitsScheme(scheme, columns)) scheme = SMALLER_BLOCKS[scheme];
  return scheme ?? 'F16';
}
