import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PressError } from '../../src/core/errors.ts';
import { checkModel } from '../../src/onnx/check/check.ts';
import type { Dimension, Graph, Initializer, Node, OnnxModel } from '../../src/onnx/graph.ts';
import { exportRandom } from '../support/builders/onnx-export.ts';
import { mutants } from '../support/builders/onnx-mutations.ts';
import { pressFailure } from '../support/press-failure.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const MUTANTS = 200;

describe(`an export passes, ${MUTANTS} random mistakes in it do not`, () => {
  for (const scheme of ['f32', 'f16', 'q8', 'q4', 'q4f16']) {
    for (const cache of ['latent', 'expanded'] as const) {
      it(`${scheme}, ${cache} cache`, async (t) => {
        const { model } = await exportRandom(temporaryFolder(t), scheme, cache);
        checkModel(model);
        const missed: string[] = [];
        const drawn = mutants(model, 1);
        for (let i = 0; i < MUTANTS; i++) {
          const { mistake, model: mutant } = drawn.next().value;
          if (!isRefused(mutant)) missed.push(mistake);
        }
        assert.deepEqual(missed, []);
      });
    }
  }
});

/** Anything else than a refusal is a mistake of the check. */
function isRefused(model: OnnxModel): boolean {
  try {
    checkModel(model);
    return false;
  } catch (error) {
    if (error instanceof PressError && error.failure === 'invalid-input') return true;
    throw error;
  }
}

/** y = Concat(past, x) * w, with a mask of as many positions. */
const GRAPH: Graph = {
  name: 'cache',
  inputs: [
    { name: 'x', type: 'float', shape: ['batch', 'new', 4] },
    { name: 'past', type: 'float', shape: ['batch', 'old', 4] },
    { name: 'mask', type: 'float', shape: ['batch', 'total', 1] },
  ],
  outputs: [
    { name: 'present', type: 'float', shape: ['batch', 'total', 4] },
    { name: 'y', type: 'float', shape: ['batch', 'total', 2] },
  ],
  initializers: [
    { name: 'w', type: 'float', shape: [4, 2], data: { location: 'w.data', offset: 0, length: 32 } },
  ],
  nodes: [
    {
      name: 'join',
      opType: 'Concat',
      domain: '',
      inputs: ['past', 'x'],
      outputs: ['present'],
      attributes: { axis: { type: 'int', value: 1 } },
    },
    {
      name: 'hide',
      opType: 'Mul',
      domain: '',
      inputs: ['present', 'mask'],
      outputs: ['hidden'],
      attributes: {},
    },
    {
      name: 'multiply',
      opType: 'MatMul',
      domain: '',
      inputs: ['hidden', 'w'],
      outputs: ['y'],
      attributes: {},
    },
  ],
};

function modelOf(change: Partial<Graph>): OnnxModel {
  return {
    irVersion: 10,
    opsets: { '': 21 },
    producerName: '',
    producerVersion: '',
    metadata: {},
    graph: { ...GRAPH, ...change },
  };
}

describe('what is said', () => {
  it('nothing of a sound model, whose total may be written as a sum', () => {
    checkModel(modelOf({}));
    const [present, y] = GRAPH.outputs;
    const shape = ['batch', 'old + new', 4];
    checkModel(modelOf({ outputs: [{ ...present!, shape }, y!] }));
  });

  it('two sizes that only some inputs make the same', () => {
    const [x, past, mask] = GRAPH.inputs;
    const inputs = [x!, past!, { ...mask!, shape: ['batch', 'new', 1] }];
    const outputs = GRAPH.outputs.map((output) => ({ ...output, shape: output.shape!.with(1, 'old + new') }));
    assert.throws(
      () => checkModel(modelOf({ inputs, outputs })),
      pressFailure(
        'invalid-input',
        /^hide: Mul: sizes broadcast along axis 1, got "new", expected old \+ new$/,
      ),
    );
  });

  it('a factor of the wrong height', () => {
    const [w] = GRAPH.initializers;
    assert.throws(
      () => checkModel(modelOf({ initializers: [{ ...w!, shape: [2, 4] }] })),
      pressFailure('invalid-input', /^multiply: MatMul: rows of input 1, got "2", expected 4$/),
    );
  });

  it('a file outside of the folder', () => {
    const [w] = GRAPH.initializers;
    const data = { location: '../w.data', offset: 0, length: 32 };
    assert.throws(
      () => checkModel(modelOf({ initializers: [{ ...w!, data }] })),
      pressFailure('invalid-input', /^w: location, got "\.\.\/w\.data", expected the bare name of a file$/),
    );
  });

  it('a name that only looks like one of a class of JavaScript', () => {
    const nodes = GRAPH.nodes.map((node) => ({ ...node, opType: 'constructor' }));
    assert.throws(() => checkModel(modelOf({ nodes })), pressFailure('invalid-input', /unknown operator/));
    const attributes = { ...GRAPH.nodes[0]!.attributes, constructor: { type: 'int', value: 1 } } as const;
    const odd = GRAPH.nodes.with(0, { ...GRAPH.nodes[0]!, attributes });
    assert.throws(
      () => checkModel(modelOf({ nodes: odd })),
      pressFailure('invalid-input', /unknown attribute/),
    );
  });

  it('an initializer of no type', () => {
    const [w] = GRAPH.initializers;
    assert.throws(
      () => checkModel(modelOf({ initializers: [{ ...w!, type: 'toString' as 'float' }] })),
      pressFailure('invalid-input', /^w: element type, got "toString", expected float, /),
    );
  });
});

/** A constant. */
function integers(name: string, ...values: readonly number[]): Initializer {
  const data = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
  return { name, type: 'int64', shape: [values.length], data };
}

describe('what an operator does not take', () => {
  const int = (value: number) => ({ type: 'int', value }) as const;
  const epsilon = { type: 'float', value: 1e-6 } as const;
  const gamma = { name: 'gamma', type: 'float', shape: [4], data: new Uint8Array(16) } as const;

  const cases: readonly (readonly [
    change: Partial<Node>,
    constants: readonly Initializer[],
    message: RegExp,
  ])[] = [
    [
      { opType: 'Softmax', inputs: ['present'], attributes: { axis: int(1) } },
      [],
      /Softmax: attribute axis, got 1, expected the last axis$/,
    ],
    [
      { opType: 'Shape', inputs: ['present'], attributes: { start: int(4) } },
      [],
      /Shape: attribute start, got 4, expected -3 to 3$/,
    ],
    [
      {
        opType: 'SimplifiedLayerNormalization',
        inputs: ['present', 'gamma'],
        attributes: { epsilon, axis: int(0) },
      },
      [gamma],
      /SimplifiedLayerNormalization: attribute axis, got 0, expected the last axis$/,
    ],
    [
      {
        opType: 'SkipSimplifiedLayerNormalization',
        domain: 'com.microsoft',
        inputs: ['present', 'present', 'gamma'],
        outputs: ['more', 'mean'],
        attributes: { epsilon },
      },
      [gamma],
      /SkipSimplifiedLayerNormalization: outputs, got "more, mean", expected the first and the fourth$/,
    ],
    [
      { opType: 'Slice', inputs: ['present', 'starts', 'ends', 'axes'] },
      [integers('starts', 0, 0), integers('ends', 1, 1), integers('axes', 1, -2)],
      /Slice: axes, got \[1,1\], expected constants, each once$/,
    ],
  ];

  for (const [change, constants, message] of cases) {
    it(`${change.opType}`, () => {
      const node = { name: 'odd', domain: '', attributes: {}, outputs: ['more'], ...change } as Node;
      const outputs = [...GRAPH.outputs, { name: 'more', type: 'float', shape: [1] } as const];
      const model = modelOf({
        nodes: [...GRAPH.nodes, node],
        outputs,
        initializers: [...GRAPH.initializers, ...constants],
      });
      const opsets = { '': 21, 'com.microsoft': 1 };
      assert.throws(() => checkModel({ ...model, opsets }), pressFailure('invalid-input', message));
    });
  }
});

/** y, a part of x [n, 4], by constants and what is computed. */
function sliceModel(
  initializers: readonly Initializer[],
  size: Dimension,
  computed: Graph['inputs'] = [],
): OnnxModel {
  const inputs = ['x', ...initializers.map(({ name }) => name), ...computed.map(({ name }) => name)];
  return modelOf({
    inputs: [{ name: 'x', type: 'float', shape: ['n', 4] }, ...computed],
    outputs: [{ name: 'y', type: 'float', shape: [size, 4] }],
    initializers,
    nodes: [{ name: 'slice', opType: 'Slice', domain: '', attributes: {}, inputs, outputs: ['y'] }],
  });
}

describe('a part of a named size', () => {
  const part = (start: number, end: number, size: Dimension) =>
    sliceModel([integers('starts', start), integers('ends', end), integers('axes', 0)], size);

  it('has a size that is known but where it hangs on which is the greater', () => {
    checkModel(part(0, 2 ** 31 - 1, 'n'));
    checkModel(part(-3, 2 ** 31 - 1, 3));
    checkModel(part(-3, -1, 2));
    checkModel(part(0, 2, 'm'));
  });

  it('is along an axis that is a constant', () => {
    const axes = { name: 'axes', type: 'int64', shape: [1] } as const;
    assert.throws(
      () => checkModel(sliceModel([integers('starts', 0), integers('ends', 1)], 1, [axes])),
      pressFailure('invalid-input', /^slice: Slice: axes, got nothing, expected constants, each once$/),
    );
  });

  it('is not the whole', () => {
    assert.throws(
      () => checkModel(part(0, -1, 'n')),
      pressFailure('invalid-input', /^y: shape, got \["n",4\], expected \[n \+ -1, 4\]$/),
    );
  });
});
