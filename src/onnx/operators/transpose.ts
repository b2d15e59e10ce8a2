import type { Call } from '../check/call.ts';
import { gatherStrided } from '../strided.ts';
import { stridesOf } from '../value.ts';
import type { Operator } from './operator.ts';

/** Axis i of the output is axis perm[i] of the input; the order is reversed where `perm` is left out. */
export const transpose: Operator = {
  inputs: [1, 1],
  outputs: [1, 1],
  attributes: { perm: { type: 'ints', expected: 'an order of the axes' } },
  float16: 'moves',
  infer(call) {
    const shape = call.shape(0);
    return [{ type: call.input(0).type, shape: permutation(call).map((axis) => shape[axis]!) }];
  },
  evaluate({ call, inputs: [x], outputs: [y] }) {
    const strides = stridesOf(x!.shape);
    const order = permutation(call).map((axis) => strides[axis]!);
    return [gatherStrided(y!.type, x!.data, 0, y!.shape, order)];
  },
};

function permutation(call: Call): readonly number[] {
  const axes = call.shape(0).map((_, axis) => axis);
  const order = call.ints('perm') ?? axes.toReversed();
  if (order.length !== axes.length || !axes.every((axis) => order.includes(axis))) {
    throw call.fault('attribute perm', order, `an order of ${axes.length} axes`);
  }
  return order;
}
