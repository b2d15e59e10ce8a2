import { usage } from '../../src/core/errors.ts';
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
 * @throws PressError usage for a pattern that is no regular expression and a scheme that no matrix can have.
 */
export function schemeChooser(
  base: MatrixScheme,
  { tokenEmbedding, tensorTypes = [] }: SchemeOptions,
): (slot: TensorSlot) => MatrixScheme {
  const embedding = tokenEmbedding && matrixSchemeOf(tokenEmbedding);
  const patterns = tensorTypes.map(({ pattern, scheme }) => ({
    pattern: compile(pattern),
    scheme: matrixSchemeOf(scheme),
  }));
  return ({ role, name, ggufName }) => {
    if (role === 'embed_tokens' && embedding !== undefined) return embedding;
    const names = [name, ggufName ?? name];
    return patterns.find(({ pattern }) => names.some((known) => pattern.test(known)))?.scheme ?? base;
  };
}

function compile(pattern: string): RegExp {
  try {
    return new RegExp(pattern, 'i');
  } catch {
    throw usage(`${JSON.stringify(pattern)} is no regular expression`);
  }
}
