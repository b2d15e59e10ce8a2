import type { Call } from '../check/call.ts';
import type { Extent } from '../check/extent.ts';
import { isFixed } from '../check/extent.ts';
import { broadcastStrides, gatherStrided, walk } from '../strided.ts';
import { elementCount } from '../value.ts';
import type { AttributeRule } from './form.ts';
import type { Operator } from './operator.ts';
import { FLOATS } from './operator.ts';

const ONE: AttributeRule = { type: 'float', value: 1, allows: (factor) => factor === 1, expected: '1' };

/** A B + C, or A B^T + C with `transB`; C broadcasts to the product. */
export const gemm: Operator = {
  inputs: [2, 3],
  outputs: [1, 1],
  attributes: {
    alpha: ONE,
    beta: ONE,
    transA: { type: 'int', value: 0, allows: (flag) => flag === 0, expected: '0' },
    transB: { type: 'int', value: 0, allows: (flag) => flag === 0 || flag === 1, expected: '0 or 1' },
  },
  float16: 'widens',
  infer(call) {
    const type = call.type(0, FLOATS);
    call.type(1, [type]);
    const [rows, depth] = call.shape(0, 2);
    const [width, columns] = factorShape(call);
    call.same('columns of input 0', depth!, width);
    const shape = [rows!, columns];
    if (call.has(2)) {
      call.type(2, [type]);
      call.sameShape('product and input 2', call.broadcast([shape, call.shape(2)])!, shape);
    }
    return [{ type, shape }];
  },
  weights(call, constants) {
    const source = constants.source(call.node.inputs[1]!);
    const [width, columns] = factorShape(call);
    if (source === undefined || !isFixed(width) || !isFixed(columns)) return undefined;
    const transposed = source.transposed === (call.int('transB') === 1);
    return {
      form: 'floats',
      instead: [1],
      data: source.initializer,
      transposed,
      batch: 1,
      rows: columns,
      columns: width,
    };
  },
  evaluate({ call, inputs: [a, b, c], outputs, weight, products }) {
    const { type, shape } = outputs[0]!;
    const depth = a!.shape[1]!;
    const out = new Float32Array(elementCount(shape));
    const x = a!.data as Float32Array;
    if (weight !== undefined) products.multiply(x, depth, weight, out);
    else {
      const strides = call.int('transB') === 1 ? [depth, 1] : [1, shape[1]!];
      const rows = gatherStrided(type, b!.data, 0, [shape[1]!, depth], strides);
      products.multiplyRows(x, depth, rows as Float32Array, out);
    }
    if (c !== undefined) {
      walk(shape, [broadcastStrides(c.shape, shape)], (at, count, [start], [step]) => {
        for (let k = 0; k < count; k++) out[at + k]! += c.data[start! + k * step!] as number;
      });
    }
    return [out];
  },
};

/** B as it enters the product: rows, then columns. */
function factorShape(call: Call): readonly [Extent, Extent] {
  const [rows, columns] = call.shape(1, 2) as [Extent, Extent];
  return call.int('transB') === 1 ? [columns, rows] : [rows, columns];
}
