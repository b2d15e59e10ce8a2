import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Attribute, ElementType } from '../../src/onnx/graph.ts';
import { elementCount, newElements, type TensorValue } from '../../src/onnx/value.ts';
import { fromHalf, toHalf } from '../../src/schemes/half.ts';
import { constant, type NodeCase, openNode, runNode, variable } from '../support/builders/onnx-node.ts';
import { gaussian, uniform } from '../support/builders/samples.ts';
import { usePlainKernels } from '../support/drivers/plain-kernels.ts';
import { pressFailure } from '../support/press-failure.ts';

/** Against ONNX Runtime itself, on its CPU provider. */
const next = gaussian(21);
const even = uniform(22);

const int = (value: number): Attribute => ({ type: 'int', value });
const ints = (value: readonly number[]): Attribute => ({ type: 'ints', value });
const float = (value: number): Attribute => ({ type: 'float', value });

function random(type: ElementType, shape: readonly number[], scale = 1): TensorValue {
  const data = newElements(type, elementCount(shape));
  for (let i = 0; i < data.length; i++) {
    const value = scale * next();
    if (type === 'float16') data[i] = fromHalf(toHalf(value));
    else if (type === 'float') data[i] = value;
    else if (type === 'int64') data[i] = BigInt(Math.round(10 * value));
    else if (type === 'bool') data[i] = even() < 0.5 ? 1 : 0;
    else if (type === 'uint8') data[i] = Math.floor(even() * 256);
    else data[i] = Math.round(10 * value);
  }
  return { type, shape, data };
}

function integers(values: readonly number[], shape: readonly number[] = [values.length]): TensorValue {
  return { type: 'int64', shape, data: BigInt64Array.from(values, BigInt) };
}

/** Scales of weights that are exact in f16, as exporters write them. */
function halfScales(type: ElementType, shape: readonly number[]): TensorValue {
  const value = random('float16', shape, 0.02);
  return { ...value, type };
}

function elementwise(
  opType: string,
  types: readonly ElementType[],
  result?: ElementType,
): Record<string, NodeCase> {
  const shapes: readonly (readonly [readonly number[], readonly number[]])[] = [
    [
      [3, 5],
      [3, 5],
    ],
    [[2, 3, 5], [5]],
    [
      [3, 1, 5],
      [2, 1],
    ],
    [[], [4]],
    [
      [2, 0, 3],
      [1, 3],
    ],
    [
      [1, 7],
      [7, 1],
    ],
  ];
  return Object.fromEntries(
    types.flatMap((type) =>
      shapes.map(([a, b]) => [
        `${opType} of ${type} [${a}] and [${b}]`,
        {
          opType,
          inputs: [variable(random(type, a)), variable(random(type, b))],
          outputs: [result ?? type],
        },
      ]),
    ),
  );
}

function forTypes(
  types: readonly ElementType[],
  cases: (type: ElementType) => Record<string, NodeCase>,
): Record<string, NodeCase> {
  return Object.fromEntries(
    types.flatMap((type) => Object.entries(cases(type)).map(([name, each]) => [`${name}, ${type}`, each])),
  );
}

/** What is moved, and what is computed in integers: the same bits. */
const EXACT: Readonly<Record<string, NodeCase>> = {
  ...elementwise('Add', ['float', 'float16', 'int64', 'int32']),
  ...elementwise('Sub', ['float', 'float16', 'int64', 'int32']),
  ...elementwise('Mul', ['float', 'float16', 'int64']),
  ...elementwise('LessOrEqual', ['float', 'float16', 'int64', 'int32'], 'bool'),
  ...elementwise('Equal', ['float', 'int64', 'int32', 'bool'], 'bool'),
  ...elementwise('And', ['bool']),
  ...forTypes(['float', 'float16', 'int64'], (type) => ({
    Neg: { opType: 'Neg', inputs: [variable(random(type, [3, 7]))], outputs: [type] },
    'Where with two broadcasts': {
      opType: 'Where',
      inputs: [
        variable(random('bool', [3, 1])),
        variable(random(type, [])),
        variable(random(type, [2, 1, 5])),
      ],
      outputs: [type],
    },
    'Gather of rows, negative ones too': {
      opType: 'Gather',
      inputs: [variable(random(type, [7, 3])), variable(integers([0, -1, 3, 6, -7, 2], [2, 3]))],
      outputs: [type],
      attributes: { axis: int(0) },
    },
    'Gather of a constant': {
      opType: 'Gather',
      inputs: [constant(random(type, [7, 33])), variable(integers([0, -1, 3]))],
      outputs: [type],
    },
    'Gather of elements, by a scalar': {
      opType: 'Gather',
      inputs: [constant(random(type, [7])), variable(integers([5], []))],
      outputs: [type],
    },
    'Gather of nothing': {
      opType: 'Gather',
      inputs: [constant(random(type, [7, 3])), variable(integers([], [0]))],
      outputs: [type],
    },
    'Reshape with 0 and -1': {
      opType: 'Reshape',
      inputs: [variable(random(type, [2, 3, 8])), constant(integers([0, -1, 4]))],
      outputs: [type],
    },
    'Reshape to what is computed': {
      opType: 'Reshape',
      inputs: [variable(random(type, [2, 3, 8])), variable(integers([6, 8]))],
      outputs: [type],
      declared: ['a', 'b'],
    },
    'Concat along a middle axis, one empty': {
      opType: 'Concat',
      inputs: [
        [2, 0, 5],
        [2, 3, 5],
        [2, 1, 5],
      ].map((shape) => variable(random(type, shape))),
      outputs: [type],
      attributes: { axis: int(1) },
    },
    'Concat along the last axis': {
      opType: 'Concat',
      inputs: [
        [2, 3],
        [2, 4],
      ].map((shape) => variable(random(type, shape))),
      outputs: [type],
      attributes: { axis: int(-1) },
    },
    'Split along the last axis': {
      opType: 'Split',
      inputs: [variable(random(type, [2, 3, 9])), constant(integers([4, 0, 5]))],
      outputs: [type, type, type],
      attributes: { axis: int(-1) },
    },
    'Split along the first axis': {
      opType: 'Split',
      inputs: [variable(random(type, [4, 3])), constant(integers([1, 3]))],
      outputs: [type, type],
    },
    'Transpose of four axes': {
      opType: 'Transpose',
      inputs: [variable(random(type, [2, 3, 4, 5]))],
      outputs: [type],
      attributes: { perm: ints([2, 0, 3, 1]) },
    },
    'Transpose without an order': {
      opType: 'Transpose',
      inputs: [variable(random(type, [3, 1, 5]))],
      outputs: [type],
    },
    'Slice of two axes, from the end and beyond it': {
      opType: 'Slice',
      inputs: [
        variable(random(type, [5, 6, 7])),
        constant(integers([-3, 1])),
        constant(integers([2 ** 31 - 1, -2])),
        constant(integers([-1, 0])),
      ],
      outputs: [type],
    },
    'Slice where it is computed': {
      opType: 'Slice',
      inputs: [
        variable(random(type, [5, 6, 7])),
        variable(integers([1, 0])),
        variable(integers([4, 100])),
        constant(integers([0, 1])),
      ],
      outputs: [type],
      declared: ['a', 'b', 7],
    },
    'Slice of nothing': {
      opType: 'Slice',
      inputs: [
        variable(random(type, [5, 6])),
        constant(integers([4])),
        constant(integers([2])),
        constant(integers([1])),
      ],
      outputs: [type],
    },
    Squeeze: {
      opType: 'Squeeze',
      inputs: [variable(random(type, [1, 3, 1, 2])), constant(integers([0, -2]))],
      outputs: [type],
    },
    Unsqueeze: {
      opType: 'Unsqueeze',
      inputs: [variable(random(type, [3, 2])), constant(integers([0, -1]))],
      outputs: [type],
    },
    'Expand in front and within': {
      opType: 'Expand',
      inputs: [variable(random(type, [3, 1, 2])), constant(integers([2, 3, 4, 1]))],
      outputs: [type],
    },
    'Expand to nothing': {
      opType: 'Expand',
      inputs: [variable(random(type, [1, 2])), variable(integers([0, 2]))],
      outputs: [type],
      declared: ['a', 2],
    },
    Shape: { opType: 'Shape', inputs: [variable(random(type, [3, 0, 5]))], outputs: ['int64'] },
    'Shape of some axes': {
      opType: 'Shape',
      inputs: [variable(random(type, [3, 4, 5, 6]))],
      outputs: ['int64'],
      attributes: { start: int(-3), end: int(3) },
    },
    'Cast to bool': {
      opType: 'Cast',
      inputs: [variable(random(type, [9]))],
      outputs: ['bool'],
      attributes: { to: int(9) },
    },
    'Cast to float': {
      opType: 'Cast',
      inputs: [variable(random(type, [9]))],
      outputs: ['float'],
      attributes: { to: int(1) },
    },
    'Cast to float16': {
      opType: 'Cast',
      inputs: [variable(random(type, [99]))],
      outputs: ['float16'],
      attributes: { to: int(10) },
    },
    'Cast to int64': {
      opType: 'Cast',
      inputs: [variable(random(type, [99], 3))],
      outputs: ['int64'],
      attributes: { to: int(7) },
    },
  })),
  'Cast of uint8': {
    opType: 'Cast',
    inputs: [variable(random('uint8', [9]))],
    outputs: ['float'],
    attributes: { to: int(1) },
  },
  'Gather of constant codes': {
    opType: 'Gather',
    inputs: [constant(random('uint8', [7, 45])), variable(integers([6, 0, -2]))],
    outputs: ['uint8'],
  },
  Relu: { opType: 'Relu', inputs: [variable(random('float', [3, 7]))], outputs: ['float'] },
  'Relu, float16': { opType: 'Relu', inputs: [variable(random('float16', [3, 7]))], outputs: ['float16'] },
  ...Object.fromEntries(
    [
      [0, 5, 1],
      [3, 3, 1],
      [5, 0, -2],
      [-4, 9, 3],
    ].map((values) => [
      `Range ${values}`,
      {
        opType: 'Range',
        inputs: values.map((value) => variable(integers([value], []))),
        outputs: ['int64'],
        declared: ['n'],
      },
    ]),
  ),
  ...Object.fromEntries(
    [4, 8].flatMap((bits) =>
      (['float', 'float16'] as const).flatMap((type) =>
        [32, 64].map((size) => [
          `GatherBlockQuantized, ${bits} bits, blocks of ${size}, ${type}`,
          {
            opType: 'GatherBlockQuantized',
            domain: 'com.microsoft',
            inputs: [
              constant(random('uint8', [9, (128 * bits) / 8])),
              variable(integers([8, 0, 3, 3], [2, 2])),
              constant(halfScales(type, [9, 128 / size])),
            ],
            outputs: [type],
            attributes: {
              bits: int(bits),
              block_size: int(size),
              gather_axis: int(0),
              quantize_axis: int(1),
            },
          } satisfies NodeCase,
        ]),
      ),
    ),
  ),
};

function matmulNBits(
  type: ElementType,
  bits: number,
  [rows, columns, tokens]: readonly [number, number, number],
  { blockSize = 32, level = 4, scales = halfScales, x = random(type, [tokens, columns]) } = {},
): NodeCase {
  const blocks = Math.ceil(columns / blockSize);
  return {
    opType: 'MatMulNBits',
    domain: 'com.microsoft',
    inputs: [
      variable(x),
      constant(random('uint8', [rows, blocks, (blockSize * bits) / 8])),
      constant(scales(type, [rows, blocks])),
    ],
    outputs: [type],
    attributes: {
      K: int(columns),
      N: int(rows),
      bits: int(bits),
      block_size: int(blockSize),
      accuracy_level: int(level),
    },
  };
}

/** Rows whose blocks are zero, whose values lie between two codes, and ordinary ones. */
function awkwardRows(type: ElementType, columns: number): TensorValue {
  const value = random(type, [3, columns]);
  for (let i = 0; i < columns; i++) {
    if (i >> 5 === 1) value.data[i] = 0;
    value.data[columns + i] = i % 32 === 0 ? 127 : (i % 100) - 50.5;
  }
  return value;
}

function dynamicQuantizeMatmul(
  [rows, columns, tokens]: readonly [number, number, number],
  zeroPoint: (row: number) => number,
  x = random('float', [tokens, columns]),
): NodeCase {
  const scales = random('float', [rows], 0.01);
  return {
    opType: 'DynamicQuantizeMatMul',
    domain: 'com.microsoft',
    inputs: [
      variable(x),
      constant(random('uint8', [columns, rows])),
      constant({ ...scales, data: (scales.data as Float32Array).map(Math.abs) }),
      constant({
        type: 'uint8',
        shape: [rows],
        data: Uint8Array.from({ length: rows }, (_, row) => zeroPoint(row)),
      }),
    ],
    outputs: ['float'],
  };
}

function rotary(type: ElementType, interleaved: number): NodeCase {
  return {
    opType: 'RotaryEmbedding',
    domain: 'com.microsoft',
    inputs: [
      variable(random(type, [2, 3, 4, 10])),
      variable(integers([0, 1, 2, 3, 5, 6, 6, 0], [2, 4])),
      constant(random(type, [7, 5])),
      constant(random(type, [7, 5])),
    ],
    outputs: [type],
    attributes: { interleaved: int(interleaved) },
  };
}

/** Sums: the order of additions is another. */
const CLOSE: Readonly<Record<string, NodeCase>> = {
  ...forTypes(['float', 'float16'], (type) => ({
    Softmax: { opType: 'Softmax', inputs: [variable(random(type, [2, 3, 37], 3))], outputs: [type] },
    'Softmax with what is masked': {
      opType: 'Softmax',
      inputs: [
        variable({ type, shape: [2, 3], data: Float32Array.of(1, -65504, 2, -65504, -65504, -65504) }),
      ],
      outputs: [type],
      attributes: { axis: int(1) },
    },
    'MatMul, batched': {
      opType: 'MatMul',
      inputs: [variable(random(type, [2, 3, 5, 17])), variable(random(type, [2, 3, 17, 9]))],
      outputs: [type],
    },
    'MatMul, one factor for all': {
      opType: 'MatMul',
      inputs: [variable(random(type, [2, 3, 5, 17])), variable(random(type, [3, 17, 9]))],
      outputs: [type],
    },
    'MatMul, one factor for all in front': {
      opType: 'MatMul',
      inputs: [variable(random(type, [1, 3, 5, 17])), variable(random(type, [2, 1, 17, 9]))],
      outputs: [type],
    },
    'MatMul with a constant': {
      opType: 'MatMul',
      inputs: [variable(random(type, [2, 5, 17])), constant(random(type, [17, 9]))],
      outputs: [type],
    },
    'MatMul with constants, one per head': {
      opType: 'MatMul',
      inputs: [variable(random(type, [2, 3, 5, 17])), constant(random(type, [3, 17, 9]))],
      outputs: [type],
    },
    'MatMul of no rows': {
      opType: 'MatMul',
      inputs: [variable(random(type, [2, 0, 17])), variable(random(type, [17, 9]))],
      outputs: [type],
    },
    'Gemm with a constant': {
      opType: 'Gemm',
      inputs: [variable(random(type, [5, 70])), constant(random(type, [9, 70]))],
      outputs: [type],
      attributes: { transB: int(1) },
    },
    'Gemm of three': {
      opType: 'Gemm',
      inputs: [variable(random(type, [5, 17])), variable(random(type, [17, 9])), constant(random(type, [9]))],
      outputs: [type],
      attributes: { alpha: float(1), beta: float(1) },
    },
    SimplifiedLayerNormalization: {
      opType: 'SimplifiedLayerNormalization',
      inputs: [variable(random(type, [2, 3, 50])), constant(random(type, [50]))],
      outputs: [type],
      attributes: { axis: int(-1), epsilon: float(1e-6), stash_type: int(1) },
    },
    'SkipSimplifiedLayerNormalization with the sum': {
      opType: 'SkipSimplifiedLayerNormalization',
      domain: 'com.microsoft',
      inputs: [
        variable(random(type, [2, 3, 50])),
        variable(random(type, [2, 3, 50])),
        constant(random(type, [50])),
      ],
      outputs: [type, undefined, undefined, type],
      attributes: { epsilon: float(1e-5) },
    },
    'RotaryEmbedding of neighbours': rotary(type, 1),
    'RotaryEmbedding of halves': rotary(type, 0),
    ...Object.fromEntries(
      [4, 8].flatMap((bits) => [
        [`MatMulNBits, ${bits} bits`, matmulNBits(type, bits, [24, 96, 5])],
        [`MatMulNBits, ${bits} bits, one token`, matmulNBits(type, bits, [33, 64, 1])],
        [`MatMulNBits, ${bits} bits, a block that is not whole`, matmulNBits(type, bits, [7, 200, 3])],
        [`MatMulNBits, ${bits} bits, a block of one`, matmulNBits(type, bits, [7, 33, 2])],
        [`MatMulNBits, ${bits} bits, accuracy level 0`, matmulNBits(type, bits, [24, 120, 5], { level: 0 })],
        [
          `MatMulNBits, ${bits} bits, zeros and ties`,
          matmulNBits(type, bits, [24, 96, 3], { x: awkwardRows(type, 96) }),
        ],
        ...[16, 64, 128].map((blockSize) => [
          `MatMulNBits, ${bits} bits, blocks of ${blockSize}`,
          matmulNBits(type, bits, [9, 200, 3], { blockSize }),
        ]),
        [
          `MatMulNBits, ${bits} bits, scales that no f16 holds`,
          matmulNBits(type, bits, [9, 96, 3], { scales: (t, shape) => random(t, shape, 0.02) }),
        ],
      ]),
    ),
  })),
  DynamicQuantizeMatMul: dynamicQuantizeMatmul([24, 96, 5], () => 128),
  'DynamicQuantizeMatMul, odd sizes and zero points': dynamicQuantizeMatmul(
    [7, 45, 3],
    (row) => 100 + 9 * row,
  ),
  'DynamicQuantizeMatMul of positive values': dynamicQuantizeMatmul([7, 45, 2], () => 128, {
    type: 'float',
    shape: [2, 45],
    data: Float32Array.from({ length: 90 }, () => 1 + even()),
  }),
  'DynamicQuantizeMatMul of zeros': dynamicQuantizeMatmul([7, 45, 2], () => 128, {
    type: 'float',
    shape: [2, 45],
    data: new Float32Array(90),
  }),
};

/**
 * Sums of at most 200 products in another order: some roundings of 2^-24 of the largest. Measured: at most
 * 4e-7.
 */
const FLOAT_TOLERANCE = 2e-6;
/** What is rounded to float16 may fall to the neighbour: 2^-10 of the value. */
const HALF_TOLERANCE = 2 ** -10;

function assertClose(ours: TensorValue, theirs: TensorValue): void {
  assert.equal(ours.type, theirs.type);
  assert.deepEqual(ours.shape, theirs.shape);
  const [x, y] = [ours.data as Float32Array, theirs.data as Float32Array];
  const largest = y.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  const relative = ours.type === 'float16' ? HALF_TOLERANCE : 0;
  for (let i = 0; i < y.length; i++) {
    const allowed = FLOAT_TOLERANCE * largest + relative * Math.abs(y[i]!);
    assert.ok(Math.abs(x[i]! - y[i]!) <= allowed, `element ${i}: ${x[i]} against ${y[i]}`);
  }
}

describe('the same elements as ONNX Runtime', () => {
  for (const [name, node] of Object.entries(EXACT)) {
    it(name, async () => {
      const { ours, theirs } = await runNode(node);
      assert.deepEqual(
        ours.map(({ type, shape, data }) => ({ type, shape: [...shape], data })),
        theirs.map(({ type, shape, data }) => ({ type, shape: [...shape], data })),
      );
    });
  }
});

describe('the elements of ONNX Runtime but for roundings', () => {
  for (const [name, node] of Object.entries(CLOSE)) {
    it(name, async () => {
      const { ours, theirs } = await runNode(node);
      for (const [i, value] of ours.entries()) assertClose(value, theirs[i]!);
    });
  }
});

describe('the same bits by the plain kernels and on two threads', () => {
  for (const name of ['MatMul, batched, float', 'MatMulNBits, 4 bits, float', 'DynamicQuantizeMatMul']) {
    it(name, async (t) => {
      const expected = await runNode(CLOSE[name]!);
      assert.deepEqual((await runNode(CLOSE[name]!, { threads: 2 })).ours, expected.ours);
      usePlainKernels(t);
      assert.deepEqual((await runNode(CLOSE[name]!)).ours, expected.ours);
    });
  }
});

it('weights of GatherBlockQuantized that no initializer holds are refused', async () => {
  const node = EXACT['GatherBlockQuantized, 4 bits, blocks of 32, float']!;
  const inputs = node.inputs.map((input) => variable(input!.value));
  await assert.rejects(
    openNode({ ...node, inputs, declared: [2, 2, 128] }),
    pressFailure(
      'invalid-input',
      /^node: GatherBlockQuantized: data and scales, got "computed ones", expected initializers$/,
    ),
  );
});
