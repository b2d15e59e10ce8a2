import { invalidInput } from '../../core/errors.ts';
import type { Dimension, Graph, ValueInfo } from '../graph.ts';
import { type Extent, isFixed, named, nameOf } from './extent.ts';
import { isUnknown, type Sizes } from './sizes.ts';
import type { ValueType } from './value-type.ts';

/** Holds what a graph gives to what it declares. */
export class DeclaredOutputs {
  readonly #outputs: ReadonlyMap<string, ValueInfo>;
  /** Named dimensions of the inputs. */
  readonly #names: ReadonlySet<Dimension>;
  readonly #sizes: Sizes;

  constructor({ inputs, outputs }: Graph, sizes: Sizes) {
    this.#outputs = new Map(outputs.map((output) => [output.name, output]));
    this.#names = new Set(inputs.flatMap(({ shape }) => shape ?? []));
    this.#sizes = sizes;
  }

  /** Throws `invalid-input` where a value is an output that is declared otherwise. */
  check(name: string, inferred: ValueType): void {
    const output = this.#outputs.get(name);
    if (output === undefined) return;
    if (output.type !== inferred.type) {
      throw invalidInput({ field: name, what: 'type', got: output.type, expected: inferred.type });
    }
    const { shape } = output;
    const fits =
      shape !== undefined &&
      inferred.shape?.length === shape.length &&
      shape.every((dimension, axis) => this.#fits(dimension, inferred.shape![axis]!));
    if (!fits) {
      const expected = inferred.shape?.join(', ') ?? 'any';
      throw invalidInput({ field: name, what: 'shape', got: shape, expected: `[${expected}]` });
    }
  }

  /** A name that no input has may stand for what has no name yet. */
  #fits(dimension: Dimension, inferred: Extent): boolean {
    const declared = typeof dimension === 'string' ? named(dimension) : dimension;
    if (isUnknown(inferred)) return !isFixed(declared);
    const name = nameOf(declared);
    const isNew = name !== undefined && !this.#names.has(name) && !this.#sizes.defines(name);
    if (isNew && this.#sizes.hasName(inferred)) return false;
    return this.#sizes.agree(declared, inferred) !== undefined;
  }
}
