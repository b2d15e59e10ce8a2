import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openHfFolder } from '../../../formats/hf/import.ts';
import { encodeModel } from '../../../formats/onnx/encode.ts';
import type { OnnxArtifact } from '../../../formats/onnx/import/open.ts';
import { closeModel, type Model } from '../../../src/core/model.ts';
import { inferModel } from '../../../src/onnx/check/infer-model.ts';
import type { Initializer, Node, OnnxModel, ValueInfo } from '../../../src/onnx/graph.ts';
import { OnnxSession } from '../../../src/onnx/session.ts';
import type { Elements, TensorValue } from '../../../src/onnx/value.ts';
import { fromHalf } from '../../../src/schemes/half.ts';
import { exportOnnx, openExported } from '../../support/builders/onnx-artifact.ts';
import { InferenceSession, Tensor } from '../../support/oracles/onnxruntime.ts';
import { fixture } from '../../support/paths.ts';

/**
 * Over a whole graph two exact engines drift apart where activations are rounded to 8 bits: sums in another
 * order move one value in some thousands to the next code, and from there on everything is a little else. So
 * each node is held to what ONNX Runtime makes of the same inputs, with which no difference can grow. Largest
 * difference beside the largest value of the output: sums of f32 in another order; for f16 one unit in its
 * last place more. ONNX Runtime hands on what it computes for f16 nodes in f32, and shows it rounded: the
 * last bit of a score of 64 is 2^-4, which a softmax shows.
 */
const LIMITS = { float: 1e-4, float16: 2 ** -10 };
const HALF_SOFTMAX_LIMIT = 2 ** -5;

let source: Model;
before(async () => {
  source = await openHfFolder(fixture('plm-tiny'));
});
after(() => closeModel(source));

/** The artifact's graph with every value between its nodes among the outputs, beside the same weights. */
async function withAllValues({ graph, graphPath }: OnnxArtifact): Promise<InferenceSession> {
  const { types } = inferModel(graph);
  const declared = new Set(graph.graph.outputs.map(({ name }) => name));
  const names = graph.graph.nodes.flatMap(({ outputs }) => outputs.filter((name) => name !== ''));
  const outputs = names
    .filter((name) => !declared.has(name))
    .map((name): ValueInfo => ({ name, type: types.get(name)!.type, shape: undefined }));
  const all = { ...graph, graph: { ...graph.graph, outputs: [...graph.graph.outputs, ...outputs] } };
  const file = path.join(path.dirname(graphPath!), 'all-values.onnx');
  writeFileSync(file, encodeModel(all));
  return InferenceSession.create(file, { graphOptimizationLevel: 'disabled', logSeverityLevel: 3 });
}

function toValue(tensor: Tensor): TensorValue {
  const types = {
    float32: 'float',
    float16: 'float16',
    int64: 'int64',
    uint8: 'uint8',
    bool: 'bool',
  } as const;
  const type = types[tensor.type as keyof typeof types];
  const data = type === 'float16' ? Float32Array.from(tensor.data as Uint16Array, fromHalf) : tensor.data;
  return { type, shape: tensor.dims, data: data as Elements };
}

/**
 * A graph of one node, with what reorders constants for it. Its inputs are those of the graph, but for short
 * lists of integers, which decide on shapes.
 */
function alone(model: OnnxModel, node: Node, values: ReadonlyMap<string, TensorValue>): OnnxModel {
  const info = (name: string): ValueInfo => {
    const { type, shape } = values.get(name)!;
    return { name, type, shape };
  };
  const { initializers, nodes } = model.graph;
  const isConstant = (name: string) => initializers.some((initializer) => initializer.name === name);
  const before = nodes.filter(
    ({ inputs, outputs }) => inputs.every(isConstant) && outputs.some((name) => node.inputs.includes(name)),
  );
  const made = before.flatMap(({ outputs }) => outputs);
  const given = [...new Set(node.inputs)].filter((name) => values.has(name) && !made.includes(name));
  const isList = (name: string) => values.get(name)!.type === 'int64' && values.get(name)!.shape.length < 2;
  const lists = given.filter(isList).map((name): Initializer => {
    const { type, shape, data } = values.get(name)!;
    return { name, type, shape, data: new Uint8Array((data as BigInt64Array).slice().buffer as ArrayBuffer) };
  });
  const inputs = given.filter((name) => !isList(name));
  const read = [...before, node].flatMap(({ inputs }) => inputs);
  const domains = [...new Set([...before, node].map(({ domain }) => domain))];
  return {
    ...model,
    opsets: Object.fromEntries(domains.map((domain) => [domain, model.opsets[domain]])),
    graph: {
      name: node.name,
      nodes: [...before, node],
      inputs: inputs.map(info),
      outputs: node.outputs.filter((name) => name !== '').map(info),
      initializers: [...lists, ...initializers.filter(({ name }) => read.includes(name))],
    },
  };
}

function assertClose(got: TensorValue, expected: TensorValue, { name, opType }: Node): void {
  assert.deepEqual(got.shape, expected.shape, name);
  const [a, b] = [got.data, expected.data];
  if (a instanceof BigInt64Array || !(got.type === 'float' || got.type === 'float16')) {
    assert.deepEqual(a, b, name);
    return;
  }
  const values = b as Float32Array;
  const limit = got.type === 'float16' && opType === 'Softmax' ? HALF_SOFTMAX_LIMIT : LIMITS[got.type];
  // What masks a score counts as 0 once it is through a softmax.
  const largest = values.reduce(
    (most, value) => (Math.abs(value) < 2e4 ? Math.max(most, Math.abs(value)) : most),
    0,
  );
  for (const [i, value] of values.entries()) {
    const difference = Math.abs(value - Number(a[i]));
    assert.ok(difference <= limit * largest, `${name}[${i}]: ${a[i]} for ${value}, largest ${largest}`);
  }
}

describe('the interpreter gives what ONNX Runtime gives, node by node', () => {
  const ids = [5, 100, 7, 1999, 42, 42, 1000, 3, 77, 512, 9];
  for (const cache of ['latent', 'expanded'] as const) {
    for (const scheme of ['f32', 'f16', 'q8', 'q4', 'q4f16']) {
      it(`onnx:${scheme}, ${cache} cache, with a past of 5`, async (t) => {
        const artifact = await openExported(t, await exportOnnx(t, source, scheme, { cache }));
        const session = await withAllValues(artifact);
        t.after(() => session.release());
        const { inputs, nodes } = artifact.graph.graph;
        const feeds = (list: readonly number[], past: Record<string, Tensor>, first: number) => ({
          input_ids: new Tensor('int64', BigInt64Array.from(list, BigInt), [1, list.length]),
          attention_mask: new Tensor('int64', new BigInt64Array(first + list.length).fill(1n), [
            1,
            first + list.length,
          ]),
          position_ids: new Tensor(
            'int64',
            BigInt64Array.from(list, (_, i) => BigInt(first + i)),
            [1, list.length],
          ),
          num_logits_to_keep: new Tensor('int64', BigInt64Array.of(2n), []),
          ...past,
        });
        const empty = inputs
          .filter(({ name }) => name.startsWith('past'))
          .map(({ name, type, shape }) => {
            const sizes = shape!.map((size) =>
              typeof size === 'number' ? size : size === 'batch_size' ? 1 : 0,
            );
            const none = type === 'float16' ? new Uint16Array(0) : new Float32Array(0);
            return [
              name,
              new Tensor(type === 'float16' ? 'float16' : 'float32', none as Float32Array, sizes),
            ] as const;
          });
        const first = await session.run(feeds(ids.slice(0, 5), Object.fromEntries(empty), 0));
        const past = Object.fromEntries(
          empty.map(([name]) => [name, first[name.replace('past_key_values', 'present')]!]),
        );
        const given = feeds(ids.slice(5), past, 5);
        const outputs = await session.run(given);
        const values = new Map(
          Object.entries({ ...given, ...outputs }).map(([name, tensor]) => [name, toValue(tensor)]),
        );
        for (const node of nodes) {
          const model = alone(artifact.graph, node, values);
          const single = await OnnxSession.open(model, { read: artifact.readInitializer, threads: 1 });
          const own = Object.fromEntries(model.graph.inputs.map(({ name }) => [name, values.get(name)!]));
          const result = await single.run(own);
          await single.close();
          for (const [name, got] of Object.entries(result)) assertClose(got, values.get(name)!, node);
        }
      });
    }
  }
});
