import type { Call } from '../check/call.ts';
import { gatherStrided } from '../strided.ts';
import { stridesOf } from '../value.ts';
import type { Operator } from './operator.ts';

/** A tensor cut along an axis into pieces of the sizes in the second input. */
export const split: Operator = {
  inputs: [2, 2],
  outputs: [1, Infinity],
  attributes: { axis: { type: 'int', value: 0, expected: 'an axis' } },
  float16: 'moves',
  infer(call) {
    const { type } = call.input(0);
    const shape = call.shape(0);
    const axis = call.axis(call.int('axis'), shape.length);
    const sizes = sizesOf(call);
    const sum = sizes.reduce((total, size) => total + size, 0);
    call.same(`sizes of pieces along axis ${axis}`, sum, shape[axis]!);
    return sizes.map((size) => ({ type, shape: shape.with(axis, size) }));
  },
  evaluate({ call, inputs: [x], outputs }) {
    const strides = stridesOf(x!.shape);
    const axis = call.axis(call.int('axis'), x!.shape.length);
    let offset = 0;
    return outputs.map(({ type, shape }) => {
      const piece = gatherStrided(type, x!.data, offset, shape, strides);
      offset += shape[axis]! * strides[axis]!;
      return piece;
    });
  },
};

function sizesOf(call: Call): readonly number[] {
  call.type(1, ['int64']);
  call.shape(1, 1);
  const sizes = call.constants(1);
  const { length } = call.node.outputs;
  if (sizes?.length !== length || sizes.some((size) => size < 0)) {
    throw call.fault('sizes of pieces', sizes, `constants for ${length} outputs`);
  }
  return sizes;
}
