import type { Call } from '../check/call.ts';
import { add, type Extent, multiply, subtract } from '../check/extent.ts';
import type { ElementType } from '../graph.ts';
import { broadcastStrides, walk } from '../strided.ts';
import { elementCount, newElements } from '../value.ts';
import type { Execution, Operator } from './operator.ts';

/**
 * The operators of JavaScript do the same to the bigints of int64 as to numbers; storing wraps and rounds as
 * the type does.
 */
type Binary<Result> = (a: number, b: number) => Result;

const BINARY = { inputs: [2, 2], outputs: [1, 1], attributes: {}, float16: 'widens' } as const;

export const addition = arithmetic(['float', 'float16', 'int64', 'int32'], (a, b) => a + b, add);
export const subtraction = arithmetic(['float', 'float16', 'int64', 'int32'], (a, b) => a - b, subtract);
/** Not of int32: their product may be beyond the integers that a number holds. */
export const multiplication = arithmetic(['float', 'float16', 'int64'], (a, b) => a * b, multiply);
export const lessOrEqual = comparison(['float', 'float16', 'int64', 'int32'], (a, b) => a <= b);
export const equality = comparison(['float', 'float16', 'int64', 'int32', 'bool'], (a, b) => a === b);
export const conjunction = comparison(['bool'], (a, b) => a !== 0 && b !== 0);

function arithmetic(
  types: readonly ElementType[],
  apply: Binary<number>,
  onExtents: (a: Extent, b: Extent) => Extent,
): Operator {
  return {
    ...BINARY,
    infer(call) {
      const type = call.type(0, types);
      call.type(1, [type]);
      const shape = call.broadcast([call.input(0).shape, call.input(1).shape]);
      return [{ type, shape, contents: combineContents(call, onExtents) }];
    },
    evaluate: (execution) => [combine(execution, apply)],
  };
}

function comparison(types: readonly ElementType[], apply: Binary<boolean>): Operator {
  return {
    ...BINARY,
    infer(call) {
      call.type(1, [call.type(0, types)]);
      return [{ type: 'bool', shape: call.broadcast([call.input(0).shape, call.input(1).shape]) }];
    },
    evaluate: (execution) => [combine(execution, (a, b) => Number(apply(a, b)))],
  };
}

function combineContents(call: Call, apply: (a: Extent, b: Extent) => Extent): Extent[] | undefined {
  const [a, b] = [call.input(0).contents, call.input(1).contents];
  if (a === undefined || b === undefined) return undefined;
  const length = a.length === 1 ? b.length : a.length;
  return Array.from({ length }, (_, i) => apply(a[a.length === 1 ? 0 : i]!, b[b.length === 1 ? 0 : i]!));
}

function combine({ inputs, outputs }: Execution, apply: Binary<number>) {
  const { type, shape } = outputs[0]!;
  const [a, b] = [inputs[0]!, inputs[1]!];
  // The element types of all three are the same or one of bool; see `Binary`.
  const [x, y, out] = [a.data, b.data, newElements(type, elementCount(shape))] as Float32Array[];
  const strides = [a, b].map((input) => broadcastStrides(input.shape, shape));
  walk(shape, strides, (at, count, [i, j], [di, dj]) => {
    for (let k = 0; k < count; k++) out![at + k] = apply(x![i! + k * di!]!, y![j! + k * dj!]!);
  });
  return out!;
}
