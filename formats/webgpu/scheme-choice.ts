import { PatternList } from '../../src/core/name-pattern.ts';
import type { TensorSlot } from '../../src/core/names.ts';
import type { SchemeName } from '../../src/core/scheme.ts';
import { type MatrixScheme, matrixSchemeOf } from './schemes.ts';

/** What changes the choices of a target. */
export interface SchemeOptions {
  /** The embedding's scheme, before all else. */
  readonly tokenEmbedding?: SchemeName;
  /** Patterns that may match anywhere in a GGUF or Hugging Face name, in any case; the first that matches wins. */
  readonly tensorTypes?: readonly { readonly pattern: string; readonly scheme: SchemeName }[];
}

/**
 * Which scheme a matrix takes.
 * @throws PressError as `PatternList` does, and usage for a scheme that no matrix can have.
 */
export function schemeChooser(
  base: MatrixScheme,
  { tokenEmbedding, tensorTypes = [] }: SchemeOptions,
): (slot: TensorSlot) => MatrixScheme {
  const embedding = tokenEmbedding && matrixSchemeOf(tokenEmbedding);
  const patterns = new PatternList(
    tensorTypes.map(({ pattern, scheme }) => [pattern, matrixSchemeOf(scheme)]),
  );
  return ({ role, name, ggufName }) => {
    if (role === 'embed_tokens' && embedding !== undefined) return embedding;
    return patterns.find(name, ggufName ?? name) ?? base;
  };
}
