import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { InferenceSession } from 'onnxruntime-node';
import { encodeModel } from '../../formats/onnx/encode.ts';
import type { CacheForm } from '../../src/core/config.ts';
import type { Node, OnnxModel } from '../../src/onnx/graph.ts';
import { OnnxSession, type SessionOptions } from '../../src/onnx/session.ts';
import { newElements, type TensorValue } from '../../src/onnx/value.ts';
import { type ExportedGraph, exportRandom, readBeside } from '../support/builders/onnx-export.ts';
import { fromOrt, toOrt } from '../support/builders/onnx-node.ts';
import { usePlainKernels } from '../support/drivers/plain-kernels.ts';
import { openOnnx } from '../support/oracles/onnxruntime.ts';
import { pressFailure } from '../support/press-failure.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

type Values = Readonly<Record<string, TensorValue>>;

/** A prompt, a token and some more: caches of none, of some, and several tokens behind a cache. */
const PIECES = [[5, 77, 299, 12, 9, 1, 44, 260], [17], [200, 3, 1]];

async function open(
  t: TestContext,
  { file, model }: ExportedGraph,
  options: Partial<SessionOptions> = {},
): Promise<OnnxSession> {
  const session = await OnnxSession.open(model, { read: readBeside(file), threads: 1, ...options });
  t.after(() => session.close());
  return session;
}

function integers(values: readonly number[], shape: readonly number[]): TensorValue {
  return { type: 'int64', shape, data: BigInt64Array.from(values, BigInt) };
}

/** What a sequence begins with. */
function emptyCaches({ graph }: OnnxModel): Values {
  return Object.fromEntries(
    graph.inputs
      .filter(({ name }) => name.startsWith('past_key_values.'))
      .map(({ name, type, shape }) => {
        const sizes = shape!.map((size) => (typeof size === 'number' ? size : size === 'batch_size' ? 1 : 0));
        return [name, { type, shape: sizes, data: newElements(type, 0) }];
      }),
  );
}

function feedsOf(ids: readonly number[], first: number, caches: Values, keep = 0): Values {
  const [count, total] = [ids.length, first + ids.length];
  return {
    input_ids: integers(ids, [1, count]),
    attention_mask: integers(Array<number>(total).fill(1), [1, total]),
    position_ids: integers(
      ids.map((_, i) => first + i),
      [1, count],
    ),
    num_logits_to_keep: integers([keep], []),
    ...caches,
  };
}

/** Outputs of the pieces one after the other, each with the caches of those before. */
async function runPieces(model: OnnxModel, run: (feeds: Values) => Promise<Values>): Promise<Values[]> {
  const results: Values[] = [];
  let [first, caches] = [0, emptyCaches(model)];
  for (const ids of PIECES) {
    const outputs = await run(feedsOf(ids, first, caches));
    results.push(outputs);
    first += ids.length;
    caches = Object.fromEntries(
      Object.keys(caches).map((name) => [name, outputs[name.replace('past_key_values', 'present')]!]),
    );
  }
  return results;
}

function ortRunner(session: InferenceSession): (feeds: Values) => Promise<Values> {
  return async (feeds) => {
    const outputs = await session.run(
      Object.fromEntries(Object.entries(feeds).map(([name, value]) => [name, toOrt(value)])),
    );
    return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, fromOrt(tensor)]));
  };
}

function farthest(a: TensorValue, b: TensorValue): number {
  assert.deepEqual([...a.shape], [...b.shape]);
  const y = b.data as Float32Array;
  return (a.data as Float32Array).reduce((max, value, i) => Math.max(max, Math.abs(value - y[i]!)), 0);
}

/** The same graph whose products take activations as they are. */
function withoutInt8(model: OnnxModel): OnnxModel {
  const nodes = model.graph.nodes.map((node) =>
    node.opType === 'MatMulNBits'
      ? { ...node, attributes: { ...node.attributes, accuracy_level: { type: 'int', value: 0 } as const } }
      : node,
  );
  return { ...model, graph: { ...model.graph, nodes } };
}

interface Agreement {
  readonly scheme: string;
  /** Of logits of at most 4, and of caches. */
  readonly tolerance: number;
  readonly change?: (model: OnnxModel) => OnnxModel;
}

const AGREEMENTS: Readonly<Record<string, Agreement>> = {
  // Sums in another order. Measured: 4e-6.
  'floats of 32 bits': { scheme: 'f32', tolerance: 1e-4 },
  '4 bits, activations in f32': { scheme: 'q4', tolerance: 1e-4, change: withoutInt8 },
  // Sums in another order may round an activation to the next of 255 steps, which moves what hangs on it by
  // some thousandths; and what hangs on it may be rounded to the next step again. Measured here, where none
  // did: 2e-6; it hangs on the CPU.
  '4 bits': { scheme: 'q4', tolerance: 0.1 },
  '8 bits': { scheme: 'q8', tolerance: 0.1 },
  // Sums in another order may round to the next float16, 2^-10 of the value. Measured: 4e-3.
  'floats of 16 bits': { scheme: 'f16', tolerance: 2e-2 },
  // Both. Measured: 4e-2.
  '4 bits among floats of 16 bits': { scheme: 'q4f16', tolerance: 0.15 },
};

describe('logits and caches are those of ONNX Runtime', () => {
  for (const [name, { scheme, tolerance, change = (model: OnnxModel) => model }] of Object.entries(
    AGREEMENTS,
  )) {
    for (const cache of ['latent', 'expanded'] as const) {
      it(`${name}, ${cache} cache`, async (t) => {
        const exported = await exportRandom(temporaryFolder(t), scheme, cache);
        const model = change(exported.model);
        const file = path.join(path.dirname(exported.file), 'changed.onnx');
        writeFileSync(file, encodeModel(model));
        const session = await open(t, { file, model });
        const ours = await runPieces(model, (feeds) => session.run(feeds));
        const theirs = await runPieces(model, ortRunner(await openOnnx(t, file)));
        for (const [i, outputs] of ours.entries()) {
          for (const [output, value] of Object.entries(outputs)) {
            const difference = farthest(value, theirs[i]![output]!);
            assert.ok(difference <= tolerance, `${output} of piece ${i}: ${difference}`);
          }
        }
      });
    }
  }
});

describe('a session', () => {
  const exported = (t: TestContext, scheme = 'q4', cache: CacheForm = 'latent') =>
    exportRandom(temporaryFolder(t), scheme, cache);

  for (const scheme of ['f16', 'q8', 'q4']) {
    it(`gives the same bits by the plain kernels and on two threads: ${scheme}`, async (t) => {
      const graph = await exported(t, scheme);
      const results = async (options: Partial<SessionOptions> = {}) => {
        const session = await open(t, graph, options);
        return runPieces(graph.model, (feeds) => session.run(feeds));
      };
      const expected = await results();
      assert.deepEqual(await results({ threads: 2 }), expected);
      usePlainKernels(t);
      assert.deepEqual(await results(), expected);
    });
  }

  it('gives the last logits where that is asked for', async (t) => {
    const { model, file } = await exported(t, 'f32');
    const session = await open(t, { model, file });
    const [ids, caches] = [PIECES[0]!, emptyCaches(model)];
    const { logits: all } = await session.run(feedsOf(ids, 0, caches));
    const { logits: last } = await session.run(feedsOf(ids, 0, caches, 1));
    assert.deepEqual([...last!.shape], [1, 1, all!.shape[2]]);
    assert.deepEqual(last!.data, all!.data.slice(-last!.data.length));
  });

  it('holds the weights in about the bytes of their file', async (t) => {
    const { model, file } = await exported(t, 'q4');
    const session = await open(t, { model, file });
    const scratch = 24 * 2 ** 20;
    const stored = model.graph.initializers.reduce((sum, { data }) => sum + data.length, 0);
    assert.ok(
      session.memoryBytes - scratch <= 1.02 * stored,
      `${session.memoryBytes - scratch} for ${stored}`,
    );
  });

  it('refuses more memory than is allowed', async (t) => {
    const { model, file } = await exported(t);
    const { memoryBytes } = await open(t, { model, file });
    await open(t, { model, file }, { maxMemory: memoryBytes });
    await assert.rejects(
      open(t, { model, file }, { maxMemory: memoryBytes - 1 }),
      pressFailure('local-io', /of working memory are needed, expected at most .*, the memory limit/),
    );
  });

  it('hears a signal between nodes and while loading', async (t) => {
    const { model, file } = await exported(t);
    const controller = new AbortController();
    const { signal } = controller;
    const session = await open(t, { model, file }, { signal });
    const run = session.run(feedsOf(PIECES[0]!, 0, emptyCaches(model)));
    setImmediate(() => controller.abort());
    await assert.rejects(run, { name: 'AbortError' });
    await assert.rejects(open(t, { model, file }, { signal }), { name: 'AbortError' });
  });

  it('refuses what is no input of the graph', async (t) => {
    const { model, file } = await exported(t);
    const session = await open(t, { model, file });
    const feeds = feedsOf([1, 2], 0, emptyCaches(model));
    const { position_ids, ...without } = feeds;
    const wrong: readonly (readonly [Values, RegExp])[] = [
      [without, /^position_ids: input is missing/],
      [{ ...feeds, other: position_ids! }, /^other: not an input of the graph/],
      [
        { ...feeds, position_ids: { type: 'int32', shape: [1, 2], data: new Int32Array(2) } },
        /type of input/,
      ],
      [
        { ...feeds, position_ids: integers([0, 1, 2], [1, 3]) },
        /shape of input, got \[1,3\], expected \[1, 2\]/,
      ],
      [{ ...feeds, position_ids: integers([0], [1, 2]) }, /shape of input/],
      [{ ...feeds, input_ids: integers([1, 99999], [1, 2]) }, /index, got 99999/],
      [{ ...feeds, position_ids: integers([0, 64], [1, 2]) }, /position, got 64, expected 0 to 63/],
    ];
    for (const [values, message] of wrong) {
      await assert.rejects(session.run(values), pressFailure('invalid-input', message));
    }
    await session.run(feeds);
  });
});

describe('a session does not open', () => {
  it('where a weight cannot be read, whichever that is', async (t) => {
    const { model, file } = await exportRandom(temporaryFolder(t), 'f32', 'latent');
    const read = readBeside(file);
    for (let last = 0; ; last++) {
      let count = 0;
      const opening = OnnxSession.open(model, {
        threads: 1,
        read: async (initializer, into) => {
          if (count++ === last) throw new Error('the disk is gone');
          await read(initializer, into);
        },
      });
      const failure = await opening.then(
        (session) => session.close(),
        (error: Error) => error.message,
      );
      if (count <= last) break;
      assert.equal(failure, 'the disk is gone');
    }
  });

  for (const [scheme, opType, index, what] of [
    ['q4', 'MatMulNBits', 1, 'codes and scales'],
    ['q8', 'DynamicQuantizeMatMul', 1, 'input 1'],
  ] as const) {
    it(`where the weights of ${opType} are computed`, async (t) => {
      const { model, file } = await exportRandom(temporaryFolder(t), scheme, 'latent');
      const { nodes } = model.graph;
      const at = nodes.findIndex((node) => node.opType === opType);
      const node = nodes[at]!;
      const copy: Node = {
        name: 'copy',
        opType: 'Concat',
        domain: '',
        inputs: [node.inputs[index]!],
        outputs: ['copied'],
        attributes: { axis: { type: 'int', value: 0 } },
      };
      const changed = { ...node, inputs: node.inputs.with(index, 'copied') };
      const graph = { ...model.graph, nodes: nodes.toSpliced(at, 1, copy, changed) };
      await assert.rejects(
        open(t, { file, model: { ...model, graph } }),
        pressFailure('invalid-input', new RegExp(`: ${opType}: ${what}, got `)),
      );
    });
  }
});
