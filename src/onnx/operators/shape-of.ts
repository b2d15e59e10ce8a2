import type { Call } from '../check/call.ts';
import type { Extent } from '../check/extent.ts';
import type { Operator } from './operator.ts';

/** Sizes of a tensor, those of the axes from `start` to before `end`. */
export const shapeOf: Operator = {
  inputs: [1, 1],
  outputs: [1, 1],
  attributes: {
    start: { type: 'int', expected: 'an axis' },
    end: { type: 'int', expected: 'an axis' },
  },
  float16: 'moves',
  infer(call) {
    const contents = sizesOf(call);
    return [{ type: 'int64', shape: [contents.length], contents }];
  },
  evaluate: ({ call }) => [BigInt64Array.from(sizesOf(call) as number[], BigInt)],
};

function sizesOf(call: Call): readonly Extent[] {
  const shape = call.shape(0);
  const place = (name: string, fallback: number) => {
    const axis = call.node.attributes[name] === undefined ? fallback : call.int(name);
    if (Math.abs(axis) > shape.length) {
      throw call.fault(`attribute ${name}`, axis, `${-shape.length} to ${shape.length}`);
    }
    return axis;
  };
  return shape.slice(place('start', 0), place('end', shape.length));
}
