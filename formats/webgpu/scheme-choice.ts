import type { TensorType } from '../../src/core/export-plan.ts';
import type { TensorSlot } from '../../src/core/names.ts';
import type { SchemeName } from '../../src/core/scheme.ts';
import { PatternList } from '../../src/core/text/name-pattern.ts';
import type { MatrixScheme } from '../../src/webgpu/planes.ts';
import { matrixSchemeOf } from './schemes.ts';

/** What changes the choices of a target. */
export interface SchemeOptions {
  /** The embedding's scheme, before all else. */
  readonly tokenEmbedding?: SchemeName;
  /**
   * Patterns that may match anywhere in a GGUF or Hugging Face name, in any case; the first that matches
   * wins.
   */
  readonly tensorTypes?: readonly TensorType[];
}

/** Chooses the schemes of matrices. */
export class SchemeChooser {
  readonly #base: MatrixScheme;
  readonly #embedding: MatrixScheme | undefined;
  readonly #types: readonly TensorType[];
  readonly #patterns: PatternList<MatrixScheme>;

  /** @throws PressError as `PatternList` does, and usage for a scheme that no matrix can have. */
  constructor(base: MatrixScheme, { tokenEmbedding, tensorTypes = [] }: SchemeOptions) {
    this.#base = base;
    this.#embedding = tokenEmbedding && matrixSchemeOf(tokenEmbedding);
    this.#types = tensorTypes;
    this.#patterns = new PatternList(
      tensorTypes.map(({ pattern, scheme }) => [pattern, matrixSchemeOf(scheme)]),
    );
  }

  choose({ role, name, ggufName }: TensorSlot): MatrixScheme {
    if (role === 'embed_tokens' && this.#embedding !== undefined) return this.#embedding;
    return this.#patterns.find(name, ggufName ?? name) ?? this.#base;
  }

  /** Those of the tensor types that have decided on no matrix. */
  get idleTypes(): TensorType[] {
    return this.#types.filter((_, index) => !this.#patterns.isUsed(index));
  }
}
