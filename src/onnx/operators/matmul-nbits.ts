import { elementCount } from '../value.ts';
import { BLOCK_ATTRIBUTES } from './block-attributes.ts';
import { FLOATS, type Operator } from './operator.ts';
import { roundToEven } from './round-to-even.ts';

const { fround } = Math;
const INT8_MAX = 127;

const SIZE = {
  type: 'int',
  required: true,
  allows: (size: number) => size > 0,
  expected: 'a positive number',
} as const;

/**
 * x W^T, where W [N, K] is stored as codes [N, blocks, bytes of a block], low bits first, and a scale per
 * block: a weight is (code - 2^(bits-1)) * scale.
 */
export const matmulNBits: Operator = {
  inputs: [3, 3],
  outputs: [1, 1],
  attributes: {
    ...BLOCK_ATTRIBUTES,
    K: SIZE,
    N: SIZE,
    accuracy_level: {
      type: 'int',
      value: 0,
      allows: (level) => level === 0 || level === 4,
      expected: '0 or 4',
    },
  },
  float16: 'computes',
  infer(call) {
    const type = call.type(0, FLOATS);
    call.type(1, ['uint8']);
    call.type(2, [type]);
    const [rows, columns, blockSize] = ['N', 'K', 'block_size'].map((name) => call.int(name)) as [
      number,
      number,
      number,
    ];
    const blocks = Math.ceil(columns / blockSize);
    call.sameShape('codes', call.shape(1), [rows, blocks, (blockSize * call.int('bits')) / 8]);
    call.sameShape('scales', call.shape(2), [rows, blocks]);
    const shape = call.shape(0);
    if (shape.length === 0) throw call.fault('rank of input 0', 0, 'at least 1');
    call.same('last axis of input 0', shape.at(-1)!, columns);
    return [{ type, shape: shape.with(-1, rows) }];
  },
  weights(call, constants) {
    const [data, scales] = [1, 2].map((input) => constants.source(call.node.inputs[input]!));
    if (data === undefined || scales === undefined || data.transposed || scales.transposed) {
      throw call.fault('codes and scales', 'computed ones', 'initializers');
    }
    return {
      form: 'blocks',
      instead: [1, 2],
      data: data.initializer,
      scales: scales.initializer,
      bits: call.int('bits'),
      blockSize: call.int('block_size'),
      rows: call.int('N'),
      columns: call.int('K'),
    };
  },
  evaluate({ call, inputs: [x], outputs, weight, products }) {
    const out = new Float32Array(elementCount(outputs[0]!.shape));
    const depth = call.int('K');
    let activations = x!.data as Float32Array;
    if (call.int('accuracy_level') === 4) {
      activations = roundActivations(activations, depth, call.int('block_size'));
    }
    products.multiply(activations, depth, weight!, out);
    return [out];
  },
};

/**
 * What MLAS multiplies with at accuracy level 4: each block of a row in int8, its largest magnitude 127. It
 * multiplies the integers exactly and the scales in f32, so products of the rounded values agree with it but
 * for roundings of sums.
 */
function roundActivations(x: Float32Array, width: number, blockSize: number): Float32Array {
  const rounded = new Float32Array(x.length);
  for (let row = 0; row < x.length; row += width) {
    for (let first = row; first < row + width; first += blockSize) {
      const end = Math.min(first + blockSize, row + width);
      let largest = 0;
      for (let i = first; i < end; i++) largest = Math.max(largest, Math.abs(x[i]!));
      const scale = fround(largest / INT8_MAX);
      const inverse = largest === 0 ? 0 : fround(INT8_MAX / largest);
      for (let i = first; i < end; i++) rounded[i] = roundToEven(fround(x[i]! * inverse)) * scale;
    }
  }
  return rounded;
}
