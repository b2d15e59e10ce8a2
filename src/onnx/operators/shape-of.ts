import type { Operator } from './operator.ts';

/** Sizes of a tensor, those of the axes from `start` to before `end`. */
export const shapeOf: Operator = {
  inputs: [1, 1],
  outputs: [1, 1],
  attributes: {
    start: { type: 'int', value: 0, expected: 'an axis' },
    end: { type: 'int', expected: 'an axis' },
  },
  float16: 'moves',
  infer(call) {
    const end = call.node.attributes.end === undefined ? undefined : call.int('end');
    const contents = call.shape(0).slice(call.int('start'), end);
    return [{ type: 'int64', shape: [contents.length], contents }];
  },
  evaluate({ call, inputs: [x] }) {
    const end = call.node.attributes.end === undefined ? undefined : call.int('end');
    return [BigInt64Array.from(x!.shape.slice(call.int('start'), end), BigInt)];
  },
};
