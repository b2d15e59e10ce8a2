import { broadcastStrides, walk } from '../strided.ts';
import { elementCount, newElements } from '../value.ts';
import type { Operator } from './operator.ts';

/** Elements of one tensor where a condition holds, of another elsewhere. */
export const where: Operator = {
  inputs: [3, 3],
  outputs: [1, 1],
  attributes: {},
  float16: 'widens',
  infer(call) {
    call.type(0, ['bool']);
    const type = call.type(1, ['float', 'float16', 'int64', 'int32', 'uint8']);
    call.type(2, [type]);
    return [{ type, shape: call.broadcast([0, 1, 2].map((index) => call.input(index).shape)) }];
  },
  evaluate({ inputs, outputs }) {
    const { type, shape } = outputs[0]!;
    const [condition, yes, no] = inputs.map((input) => input!.data);
    const strides = inputs.map((input) => broadcastStrides(input!.shape, shape));
    const out = newElements(type, elementCount(shape));
    walk(shape, strides, (at, count, [c, y, n], [dc, dy, dn]) => {
      for (let k = 0; k < count; k++) {
        out[at + k] = condition![c! + k * dc!] !== 0 ? yes![y! + k * dy!]! : no![n! + k * dn!]!;
      }
    });
    return [out];
  },
};
