import { add } from '../check/extent.ts';
import type { ValueType } from '../check/value-type.ts';
import { elementCount, newElements } from '../value.ts';
import type { Operator } from './operator.ts';

/** Tensors one behind the other along an axis. */
export const concat: Operator = {
  inputs: [1, Infinity],
  outputs: [1, 1],
  attributes: { axis: { type: 'int', required: true, expected: 'an axis' } },
  float16: 'moves',
  infer(call) {
    const inputs = call.inputs.map((_, index) => call.input(index));
    const { type } = call.input(0);
    const first = call.shape(0);
    const axis = call.axis(call.int('axis'), first.length);
    const shape = inputs.slice(1).reduce((joined, _, i) => {
      call.type(i + 1, [type]);
      const next = call.shape(i + 1, first.length);
      return joined.map((extent, each) =>
        each === axis ? add(extent, next[each]!) : call.same(`size of axis ${each}`, next[each]!, extent),
      );
    }, first);
    return [{ type, shape, contents: joinContents(inputs) }];
  },
  evaluate({ call, inputs, outputs }) {
    const { type, shape } = outputs[0]!;
    const out = newElements(type, elementCount(shape));
    const axis = call.axis(call.int('axis'), shape.length);
    const rows = elementCount(shape.slice(0, axis));
    let at = 0;
    for (let row = 0; row < rows; row++) {
      for (const input of inputs) {
        const length = elementCount(input!.shape.slice(axis));
        out.set(input!.data.subarray(row * length, (row + 1) * length) as never, at);
        at += length;
      }
    }
    return [out];
  },
};

function joinContents(inputs: readonly ValueType[]): ValueType['contents'] {
  const contents = inputs.map((input) => input.contents);
  return contents.every((each) => each !== undefined) ? contents.flat() : undefined;
}
