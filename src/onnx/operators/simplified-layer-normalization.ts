import type { Call } from '../check/call.ts';
import type { Extent } from '../check/extent.ts';
import type { AttributeRule } from './form.ts';
import { FLOATS, type Operator } from './operator.ts';

const { fround } = Math;

const EPSILON: AttributeRule = {
  type: 'float',
  required: true,
  allows: (epsilon) => epsilon > 0 && epsilon < 1,
  expected: 'between 0 and 1',
};

/** x / sqrt(mean(x^2) + epsilon) * gamma along the last axis. */
export const simplifiedLayerNormalization: Operator = {
  inputs: [2, 2],
  outputs: [1, 1],
  attributes: {
    epsilon: EPSILON,
    axis: { type: 'int', value: -1, expected: 'the last axis' },
    stash_type: { type: 'int', value: 1, allows: (type) => type === 1, expected: '1' },
  },
  float16: 'computes',
  infer(call) {
    const type = call.type(0, FLOATS);
    const shape = normalizedShape(call, 1);
    if (call.axis(call.int('axis'), shape.length) !== shape.length - 1) {
      throw call.fault('attribute axis', call.int('axis'), 'the last axis');
    }
    return [{ type, shape }];
  },
  evaluate: ({ call, inputs: [x, gamma] }) => [
    normalize(x!.data as Float32Array, gamma!.data as Float32Array, call.float('epsilon')),
  ],
};

/** The norm of x + skip in output 0, x + skip itself in output 3. */
export const skipSimplifiedLayerNormalization: Operator = {
  inputs: [3, 3],
  outputs: [1, 4],
  attributes: { epsilon: EPSILON },
  float16: 'computes',
  infer(call) {
    const type = call.type(0, FLOATS);
    call.type(1, [type]);
    const shape = normalizedShape(call, 2);
    call.sameShape('skip', call.shape(1), shape);
    if (call.node.outputs.slice(1, 3).some((name) => name !== '')) {
      throw call.fault('outputs', call.node.outputs.join(', '), 'the first and the fourth');
    }
    const [one, sum] = [
      { type, shape: shape.map(() => 1) },
      { type, shape },
    ];
    return [sum, one, one, sum].slice(0, call.node.outputs.length);
  },
  evaluate({ call, inputs: [x, skip, gamma], outputs }) {
    const [a, b] = [x!.data as Float32Array, skip!.data as Float32Array];
    const sum = a.map((value, i) => value + b[i]!);
    const norm = normalizeSum(sum, gamma!.data as Float32Array, call.float('epsilon'));
    return [norm, NOTHING, NOTHING, sum].slice(0, outputs.length);
  },
};

const NOTHING = new Float32Array();

function normalizedShape(call: Call, gamma: number): readonly Extent[] {
  call.type(gamma, [call.input(0).type]);
  const shape = call.shape(0);
  if (shape.length === 0) throw call.fault('rank of input 0', 0, 'at least 1');
  call.same('length of gamma', call.shape(gamma, 1)[0]!, shape.at(-1)!);
  return shape;
}

/** Multiplies with the inverse root, as ONNX Runtime does where it has no sum to take. */
function normalize(x: Float32Array, gamma: Float32Array, epsilon: number): Float32Array {
  const y = new Float32Array(x.length);
  const width = gamma.length;
  for (let first = 0; first < x.length; first += width) {
    const row = x.subarray(first, first + width);
    const inverse = fround(
      1 / fround(Math.sqrt(fround(fround(squaresInLanes(row) / width) + fround(epsilon)))),
    );
    for (let i = 0; i < width; i++) y[first + i] = fround(row[i]! * inverse) * gamma[i]!;
  }
  return y;
}

/** Divides by the root. */
function normalizeSum(x: Float32Array, gamma: Float32Array, epsilon: number): Float32Array {
  const y = new Float32Array(x.length);
  const width = gamma.length;
  for (let first = 0; first < x.length; first += width) {
    const row = x.subarray(first, first + width);
    const squares = row.reduce((sum, value) => fround(sum + fround(value * value)), 0);
    const root = fround(Math.sqrt(fround(fround(squares / width) + fround(epsilon))));
    for (let i = 0; i < width; i++) y[first + i] = fround(row[i]! / root) * gamma[i]!;
  }
  return y;
}

/** The sum of squares in the order of 8 lanes of fused multiply-adds. */
function squaresInLanes(row: Float32Array): number {
  const lanes = new Float32Array(8);
  for (let i = 0; i < row.length; i++) lanes[i & 7]! += row[i]! * row[i]!;
  for (let half = 4; half > 0; half >>= 1) for (let i = 0; i < half; i++) lanes[i]! += lanes[i + half]!;
  return lanes[0]!;
}
