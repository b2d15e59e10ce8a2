import { InferenceSession, Tensor } from 'onnxruntime-node';
import { encodeModel } from '../../../formats/onnx/encode.ts';
import type {
  Attribute,
  Dimension,
  Domain,
  ElementType,
  Initializer,
  OnnxModel,
} from '../../../src/onnx/graph.ts';
import { OnnxSession, type SessionOptions } from '../../../src/onnx/session.ts';
import { type Elements, elementCount, type TensorValue } from '../../../src/onnx/value.ts';
import { loadOnnxRuntime } from '../../../src/pipeline/engines/onnxruntime.ts';
import { fromHalf, toHalf } from '../../../src/schemes/half.ts';

// Settles what tensors of float16 hold, for everyone who imports the package.
await loadOnnxRuntime();

/** A node with the values of its inputs. */
export interface NodeCase {
  readonly opType: string;
  readonly domain?: Domain;
  readonly attributes?: Readonly<Record<string, Attribute>>;
  /** Fed where they come as `variable`, initializers where as `constant`, left out where undefined. */
  readonly inputs: readonly (NodeInput | undefined)[];
  /** Types of the outputs; undefined for one that is not wanted. */
  readonly outputs: readonly (ElementType | undefined)[];
  /** Shape of the one output, where it hangs on values that are fed. */
  readonly declared?: readonly Dimension[];
}

export interface NodeInput {
  readonly value: TensorValue;
  readonly constant: boolean;
}

export const variable = (value: TensorValue): NodeInput => ({ value, constant: false });
export const constant = (value: TensorValue): NodeInput => ({ value, constant: true });

export interface NodeResults {
  readonly ours: readonly TensorValue[];
  readonly theirs: readonly TensorValue[];
}

/** Runs a graph of one node in the interpreter and in ONNX Runtime. */
export async function runNode(
  node: NodeCase,
  options: { readonly threads?: number } = {},
): Promise<NodeResults> {
  const feeds = Object.fromEntries(
    node.inputs.flatMap((input, i) =>
      input === undefined || input.constant ? [] : [[`x${i}`, input.value]],
    ),
  );
  const theirs = await runOrt(
    modelOf(node, () => undefined),
    feeds,
  );
  const names = node.outputs.flatMap((type, i) => (type === undefined ? [] : [`y${i}`]));
  const session = await openNode(node, (name) => node.declared ?? theirs[name]!.shape, options);
  try {
    const ours = await session.run(feeds);
    return { ours: names.map((name) => ours[name]!), theirs: names.map((name) => theirs[name]!) };
  } finally {
    await session.close();
  }
}

/** Opens a graph of one node in the interpreter. `shapeOf`: what the graph declares of its outputs. */
export function openNode(
  node: NodeCase,
  shapeOf: (output: string) => readonly Dimension[] | undefined = () => node.declared,
  options: Partial<SessionOptions> = {},
): Promise<OnnxSession> {
  const read = () => Promise.reject(new Error('nothing is external'));
  return OnnxSession.open(modelOf(node, shapeOf), { read, threads: 1, ...options });
}

/** `shapeOf`: what the graph declares of its outputs. */
function modelOf(
  { opType, domain = '', attributes = {}, inputs, outputs }: NodeCase,
  shapeOf: (output: string) => readonly Dimension[] | undefined,
): OnnxModel {
  const named = inputs.flatMap((input, i) => (input === undefined ? [] : [{ name: `x${i}`, ...input }]));
  return {
    irVersion: 10,
    opsets: { '': 21, 'com.microsoft': 1 },
    producerName: 'test',
    producerVersion: '',
    metadata: {},
    graph: {
      name: 'one node',
      inputs: named
        .filter((each) => !each.constant)
        .map(({ name, value: { type, shape } }) => ({ name, type, shape })),
      outputs: outputs.flatMap((type, i) =>
        type === undefined ? [] : [{ name: `y${i}`, type, shape: shapeOf(`y${i}`) }],
      ),
      initializers: named
        .filter((each) => each.constant)
        .map(
          ({ name, value }): Initializer => ({
            name,
            type: value.type,
            shape: value.shape,
            data: bytesOf(value),
          }),
        ),
      nodes: [
        {
          name: 'node',
          opType,
          domain,
          attributes,
          inputs: inputs.map((input, i) => (input === undefined ? '' : `x${i}`)),
          outputs: outputs.map((type, i) => (type === undefined ? '' : `y${i}`)),
        },
      ],
    },
  };
}

async function runOrt(
  model: OnnxModel,
  feeds: Readonly<Record<string, TensorValue>>,
): Promise<Record<string, TensorValue>> {
  const session = await InferenceSession.create(encodeModel(model), {
    logSeverityLevel: 3,
    intraOpNumThreads: 1,
  });
  try {
    const outputs = await session.run(mapValues(feeds, toOrt));
    return mapValues(outputs, fromOrt);
  } finally {
    await session.release();
  }
}

/** A value as ONNX Runtime takes it. */
export function toOrt({ type, shape, data }: TensorValue): Tensor {
  if (type === 'float16')
    return new Tensor('float16', Uint16Array.from(data as Float32Array, toHalf), [...shape]);
  return new Tensor(type === 'float' ? 'float32' : type, data as Float32Array, [...shape]);
}

/**
 * A value that ONNX Runtime gives. It gives float16 as an array of them where JavaScript has one, of their
 * bits elsewhere.
 */
export function fromOrt(tensor: Tensor): TensorValue {
  const { type, dims: shape, data } = tensor;
  if (type !== 'float16')
    return { type: (type === 'float32' ? 'float' : type) as ElementType, shape, data: data as Elements };
  const { buffer, byteOffset } = data as Uint16Array;
  const bits = new Uint16Array(buffer, byteOffset, elementCount(shape));
  return { type, shape, data: Float32Array.from(bits, fromHalf) };
}

function bytesOf({ type, data }: TensorValue): Uint8Array {
  const stored = type === 'float16' ? Uint16Array.from(data as Float32Array, toHalf) : data;
  return new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
}

function mapValues<A, B>(record: Readonly<Record<string, A>>, map: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}
