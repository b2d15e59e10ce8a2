import { invalidInput } from '../core/errors.ts';
import { type Extent, isFixed, named, nameOf } from './extent.ts';
import type { Dimension, Graph, ValueInfo } from './graph.ts';
import type { InferredModel } from './infer-model.ts';
import { isUnknown, type Sizes } from './sizes.ts';

/** The graph gives what it declares. */
export function checkOutputs(graph: Graph, { types, sizes }: InferredModel): void {
  const names = new Set(graph.inputs.flatMap(({ shape }) => shape ?? []));
  for (const output of graph.outputs) {
    const { type, shape } = types.get(output.name)!;
    if (output.type !== type) {
      throw invalidInput({ field: output.name, what: 'type', got: output.type, expected: type });
    }
    checkShape(output, shape, names, sizes);
  }
}

function checkShape(
  { name, shape }: ValueInfo,
  inferred: readonly Extent[] | undefined,
  names: ReadonlySet<Dimension>,
  sizes: Sizes,
): void {
  const fits =
    shape !== undefined &&
    inferred?.length === shape.length &&
    shape.every((dimension, axis) => fitsExtent(dimension, inferred[axis]!, names, sizes));
  if (!fits) {
    const expected = inferred?.join(', ') ?? 'any';
    throw invalidInput({ field: name, what: 'shape', got: shape, expected: `[${expected}]` });
  }
}

/** A name that no input has may stand for what has no name yet. */
function fitsExtent(
  dimension: Dimension,
  inferred: Extent,
  names: ReadonlySet<Dimension>,
  sizes: Sizes,
): boolean {
  const declared = typeof dimension === 'string' ? named(dimension) : dimension;
  if (isUnknown(inferred)) return !isFixed(declared);
  const isNew =
    nameOf(declared) !== undefined && !names.has(dimension) && !sizes.defines(dimension as string);
  if (isNew && sizes.hasName(inferred)) return false;
  return sizes.agree(declared, inferred) !== undefined;
}
