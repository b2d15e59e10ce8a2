import { exp } from '../../core/elementary/exp.ts';
import { FLOATS, type Operator } from './operator.ts';

/** exp(x) over its sum along the last axis. */
export const softmax: Operator = {
  inputs: [1, 1],
  outputs: [1, 1],
  attributes: { axis: { type: 'int', value: -1, expected: 'the last axis' } },
  float16: 'widens',
  infer(call) {
    const type = call.type(0, FLOATS);
    const shape = call.shape(0);
    if (call.axis(call.int('axis'), shape.length) !== shape.length - 1) {
      throw call.fault('attribute axis', call.int('axis'), 'the last axis');
    }
    return [{ type, shape }];
  },
  evaluate({ inputs: [x] }) {
    const data = x!.data as Float32Array;
    const out = new Float32Array(data.length);
    const width = x!.shape.at(-1)!;
    for (let first = 0; first < data.length; first += width) {
      const row = data.subarray(first, first + width);
      const max = row.reduce((a, b) => Math.max(a, b), -Infinity);
      let sum = 0;
      for (let i = 0; i < width; i++) sum += out[first + i] = exp(row[i]! - max);
      for (let i = 0; i < width; i++) out[first + i]! /= sum;
    }
    return [out];
  },
};
