import { inferModel } from '../../../src/onnx/check/infer-model.ts';
import type { ValueType } from '../../../src/onnx/check/value-type.ts';
import {
  type Attribute,
  type Domain,
  ELEMENT_TYPES,
  type ElementType,
  type ExternalData,
  type Graph,
  type Initializer,
  isExternal,
  type Node,
  type OnnxModel,
  type ValueInfo,
} from '../../../src/onnx/graph.ts';
import { operatorOf } from '../../../src/onnx/operators/index.ts';
import { Dice } from './dice.ts';

/** A model with one mistake. */
export interface Mutant {
  readonly mistake: string;
  readonly model: OnnxModel;
}

/**
 * Models with one mistake each that makes them ill-formed, drawn at random. Not drawn are changes that leave
 * a model well-formed: values that mean another function of the same shape (epsilon, interleaved,
 * accuracy_level, Add for Sub, one value for another of the same type and shape), what fits in many ways (a
 * rank that nothing asks for, a size that no other depends on), and what means the same (a default written
 * out, an order of independent nodes).
 */
export function* mutants(model: OnnxModel, seed: number): Generator<Mutant, never> {
  const dice = new Dice(seed);
  const { types } = inferModel(model);
  for (;;) {
    const [name, mutate] = dice.pick(Object.entries(MUTATIONS));
    const changed = mutate({ model, graph: model.graph, dice, types });
    if (changed !== undefined) yield { mistake: `${name}: ${changed.mistake}`, model: changed.model };
  }
}

interface Subject {
  readonly model: OnnxModel;
  readonly graph: Graph;
  readonly dice: Dice;
  readonly types: ReadonlyMap<string, ValueType>;
}

/** Undefined where what was drawn has no place for the mistake. */
type Mutation = (subject: Subject) => Mutant | undefined;

const UNKNOWN = 'no such value';

const MUTATIONS: Readonly<Record<string, Mutation>> = {
  'a node is missing': (subject) => {
    const at = subject.dice.below(subject.graph.nodes.length);
    return withNodes(subject, subject.graph.nodes.toSpliced(at, 1), subject.graph.nodes[at]!.name);
  },
  'a node comes before what it reads': ({ model, graph, dice }) => {
    const { nodes } = graph;
    const later = dice.below(nodes.length);
    const sources = nodes.flatMap(({ outputs }, i) =>
      i < later && outputs.some((name) => name !== '' && nodes[later]!.inputs.includes(name)) ? [i] : [],
    );
    const earlier = dice.maybe(sources);
    if (earlier === undefined) return undefined;
    const swapped = nodes.with(earlier, nodes[later]!).with(later, nodes[earlier]!);
    return withNodes({ model, graph }, swapped, nodes[later]!.name);
  },
  'a node is there twice': (subject) => {
    const node = subject.dice.pick(subject.graph.nodes);
    return withNodes(subject, [...subject.graph.nodes, node], node.name);
  },
  'two nodes have one name': (subject) => {
    const [a, b] = twoOf(subject.dice, subject.graph.nodes);
    return withNode(subject, a, { name: b.name }, b.name);
  },
  'two values have one name': (subject) => {
    const node = subject.dice.pick(subject.graph.nodes);
    const taken = subject.dice.pick([...subject.types.keys()].filter((name) => !node.outputs.includes(name)));
    return withNode(
      subject,
      node,
      { outputs: node.outputs.with(0, taken) },
      `${node.outputs[0]} as ${taken}`,
    );
  },
  'an input has the name of a constant': ({ model, graph, dice }) => {
    const { name, type, shape } = dice.pick(graph.initializers);
    return withGraph(model, { inputs: [...graph.inputs, { name, type, shape }] }, name);
  },
  'a node reads what is not there': (subject) => {
    const [node, at] = someInput(subject);
    return withNode(subject, node, { inputs: node.inputs.with(at, UNKNOWN) }, `${node.name}, input ${at}`);
  },
  'a node gives what nothing reads': (subject) => {
    const node = subject.dice.pick(subject.graph.nodes);
    const used = node.outputs.flatMap((name, i) => (name !== '' ? [i] : []));
    const at = subject.dice.pick(used);
    return withNode(subject, node, { outputs: node.outputs.with(at, UNKNOWN) }, `${node.name}, output ${at}`);
  },
  'a node reads what comes later': (subject) => {
    const { graph, dice } = subject;
    const [node, at] = someInput(subject);
    const later = graph.nodes.slice(graph.nodes.indexOf(node)).flatMap(({ outputs }) => outputs);
    const name = dice.pick(later.filter((each) => each !== ''));
    return withNode(subject, node, { inputs: node.inputs.with(at, name) }, `${node.name}, input ${at}`);
  },
  'a node reads a value of another type': (subject) => {
    const [node, at] = someInput(subject);
    const { type } = subject.types.get(node.inputs[at]!)!;
    // These take what they get; what reads them tells, but for what only asks for a shape or a truth.
    if (['Shape', 'Cast'].includes(node.opType)) return undefined;
    const others = [...subject.types].filter(([, other]) => other.type !== type).map(([name]) => name);
    const other = subject.dice.pick(others);
    return withNode(
      subject,
      node,
      { inputs: node.inputs.with(at, other) },
      `${node.name}, input ${at}: ${other}`,
    );
  },
  'a node reads a value of another rank': (subject) => {
    const [node, at] = someInput(subject);
    // Any list may stand for a mask that broadcasts.
    if (['Shape', 'Cast'].includes(node.opType)) return undefined;
    const { type, shape } = subject.types.get(node.inputs[at]!)!;
    const others = [...subject.types].filter(
      ([, other]) => other.type === type && other.shape?.length !== shape?.length,
    );
    const other = subject.dice.maybe(others)?.[0];
    if (other === undefined) return undefined;
    return withNode(
      subject,
      node,
      { inputs: node.inputs.with(at, other) },
      `${node.name}, input ${at}: ${other}`,
    );
  },
  'an input of a node is missing': (subject) => {
    const node = subject.dice.pick(subject.graph.nodes);
    return withNode(subject, node, { inputs: node.inputs.slice(0, -1) }, node.name);
  },
  'a node has a further input': (subject) => {
    const [node] = someInput(subject);
    const inputs = [...node.inputs, ...node.inputs.slice(0, 1), ...Array<string>(9).fill(node.inputs[0]!)];
    return withNode(subject, node, { inputs }, node.name);
  },
  'an input of a node is left out': (subject) => {
    const [node, at] = someInput(subject);
    return withNode(subject, node, { inputs: node.inputs.with(at, '') }, `${node.name}, input ${at}`);
  },
  'a node has a further output': (subject) => {
    const node = subject.dice.pick(subject.graph.nodes);
    const outputs = [...node.outputs, ...Array.from({ length: 4 }, (_, i) => `${UNKNOWN} ${i}`)];
    return withNode(subject, node, { outputs }, node.name);
  },
  'an operator is not known': (subject) => {
    const node = subject.dice.pick(subject.graph.nodes);
    return withNode(
      subject,
      node,
      { opType: subject.dice.pick(['Foo', node.opType.toLowerCase(), '']) },
      node.name,
    );
  },
  'an operator is another': (subject) => {
    const { dice, graph } = subject;
    const node = dice.pick(graph.nodes);
    const other = dice.pick(graph.nodes);
    const same = [node, other].map(({ opType }) => ALIKE[opType] ?? opType);
    if (same[0] === same[1]) return undefined;
    // One axis has one order.
    if (other.opType === 'Transpose' && subject.types.get(node.inputs[0]!)!.shape?.length === 1)
      return undefined;
    const { opType, domain } = other;
    return withNode(subject, node, { opType, domain }, `${node.name}: ${opType}`);
  },
  'an operator is in another domain': (subject) => {
    const node = subject.dice.pick(subject.graph.nodes);
    const other = subject.dice.pick(
      ['', 'com.microsoft', 'ai.onnx.ml'].filter((domain) => domain !== node.domain),
    );
    return withNode(subject, node, { domain: other as Domain }, node.name);
  },
  'an attribute has another type': (subject) => {
    const { node, name, attribute } = someAttribute(subject);
    const types = (['int', 'float', 'ints'] as const).filter((type) => type !== attribute.type);
    const type = subject.dice.pick(types);
    const changed = { type, value: type === 'ints' ? [0] : 0 } as Attribute;
    return withAttribute(subject, node, name, changed);
  },
  'an attribute is not known': (subject) =>
    withAttribute(subject, subject.dice.pick(subject.graph.nodes), 'foo', { type: 'int', value: 1 }),
  'an attribute is missing': (subject) => {
    const { node, name } = someAttribute(subject);
    if (!operatorOf(node)!.attributes[name]!.required) return undefined;
    const { [name]: _, ...attributes } = node.attributes;
    return withNode(subject, node, { attributes }, `${node.name}, ${name}`);
  },
  'an attribute has a value that it must not have': (subject) => {
    const { node, name, attribute } = someAttribute(subject);
    if (attribute.type === 'ints') {
      const value = subject.dice.pick([
        attribute.value.map(() => 0),
        attribute.value.slice(1),
        [...attribute.value, 9],
      ]);
      return withAttribute(subject, node, name, { type: 'ints', value });
    }
    const wrong = WRONG_VALUES[name];
    if (wrong === undefined) throw new Error(`no wrong value of ${name}`);
    const value = subject.dice.pick(wrong(attribute.value));
    return withAttribute(subject, node, name, { type: attribute.type, value });
  },
  'a constant is not as long as its shape says': (subject) => {
    const initializer = subject.dice.pick(subject.graph.initializers);
    const { shape, data } = initializer;
    if (subject.dice.below(2) === 0 || shape.length === 0) {
      return withInitializer(subject, initializer, {
        data: resized(data, data.length + subject.dice.pick([-1, 1])),
      });
    }
    const axis = subject.dice.below(shape.length);
    return withInitializer(subject, initializer, { shape: shape.with(axis, shape[axis]! + 1) });
  },
  'a constant is of another shape': (subject) => {
    const initializer = subject.dice.pick(subject.graph.initializers);
    const { shape, type, data } = initializer;
    // A list that is a row longer selects or adds a further axis or size.
    if (shape.length === 0) return undefined;
    const axis = subject.dice.below(shape.length);
    const grown = shape.with(axis, shape[axis]! + 1);
    const bytes = grown.reduce((product, size) => product * size, ELEMENT_TYPES[type].bytes);
    return withInitializer(subject, initializer, { shape: grown, data: resized(data, bytes) });
  },
  'a constant has impossible sizes': (subject) => {
    const initializer = subject.dice.pick(subject.graph.initializers.filter(({ shape }) => shape.length > 0));
    const size = subject.dice.pick([-1, 0.5, Number.NaN, 2 ** 60]);
    return withInitializer(subject, initializer, { shape: initializer.shape.with(0, size) });
  },
  'a constant is of another type': (subject) => {
    const initializer = subject.dice.pick(subject.graph.initializers);
    const type = subject.dice.pick(
      (Object.keys(ELEMENT_TYPES) as ElementType[]).filter((each) => each !== initializer.type),
    );
    const count = initializer.data.length / ELEMENT_TYPES[initializer.type].bytes;
    const data = resized(initializer.data, count * ELEMENT_TYPES[type].bytes);
    return withInitializer(subject, initializer, { type, data });
  },
  'bytes lie where they must not': (subject) => {
    const initializer = subject.dice.pick(external(subject.graph));
    const offset = subject.dice.pick([-1, -4096, 0.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY]);
    return withInitializer(subject, initializer, { data: { ...initializer.data, offset } });
  },
  'bytes are those of another constant too': (subject) => {
    const [a, b] = twoOf(
      subject.dice,
      external(subject.graph).filter(({ data }) => data.length > 1),
    );
    const offset = b.data.offset + subject.dice.pick([1, b.data.length - 1]);
    return withInitializer(subject, a, { data: { ...a.data, location: b.data.location, offset } });
  },
  'bytes lie outside of the folder': (subject) => {
    const initializer = subject.dice.pick(external(subject.graph));
    const { location } = initializer.data;
    const wrong = [
      `../${location}`,
      `/${location}`,
      `a/${location}`,
      `a\\${location}`,
      `C:${location}`,
      '..',
      '.',
      '',
    ];
    const other = subject.dice.pick([...wrong, `${location}\0`]);
    return withInitializer(subject, initializer, { data: { ...initializer.data, location: other } });
  },
  'a constant is there twice': ({ model, graph, dice }) => {
    const initializer = dice.pick(graph.initializers);
    return withGraph(model, { initializers: [...graph.initializers, initializer] }, initializer.name);
  },
  'a constant is missing': ({ model, graph, dice }) => {
    const at = dice.below(graph.initializers.length);
    return withGraph(
      model,
      { initializers: graph.initializers.toSpliced(at, 1) },
      graph.initializers[at]!.name,
    );
  },
  'nothing reads a constant': ({ model, graph }) => {
    const initializer: Initializer = { name: UNKNOWN, type: 'uint8', shape: [1], data: new Uint8Array(1) };
    return withGraph(model, { initializers: [...graph.initializers, initializer] }, '');
  },
  'nothing reads an input': ({ model, graph }) =>
    withGraph(model, { inputs: [...graph.inputs, { name: UNKNOWN, type: 'float', shape: [1] }] }, ''),
  'an input is missing': ({ model, graph, dice }) => {
    const at = dice.below(graph.inputs.length);
    return withGraph(model, { inputs: graph.inputs.toSpliced(at, 1) }, graph.inputs[at]!.name);
  },
  'an input is of another type': ({ model, graph, dice }) => {
    const at = dice.below(graph.inputs.length);
    const input = graph.inputs[at]!;
    // Casts take every type: a mask may as well come as int32.
    if (readersOf(graph, input.name).every(({ opType }) => opType === 'Cast' || opType === 'Shape'))
      return undefined;
    const types = (Object.keys(ELEMENT_TYPES) as ElementType[]).filter((each) => each !== input.type);
    return withInfo(model, 'inputs', at, { ...input, type: dice.pick(types) });
  },
  'an input is of another shape': ({ model, graph, dice }) => {
    const at = dice.below(graph.inputs.length);
    const { shape, ...input } = graph.inputs[at]!;
    if (shape === undefined) return undefined;
    const axis = dice.below(shape.length);
    const size = shape[axis]!;
    const other = typeof size === 'number' ? size + 1 : dice.pick([`not ${size}`, 7]);
    return withInfo(model, 'inputs', at, {
      ...input,
      shape: dice.pick([shape.with(axis, other), [...shape, 3]]),
    });
  },
  'an output is declared of another type': ({ model, graph, dice }) => {
    const at = dice.below(graph.outputs.length);
    const output = graph.outputs[at]!;
    const types = (Object.keys(ELEMENT_TYPES) as ElementType[]).filter((each) => each !== output.type);
    return withInfo(model, 'outputs', at, { ...output, type: dice.pick(types) });
  },
  'an output is declared of another shape': ({ model, graph, dice }) => {
    const at = dice.below(graph.outputs.length);
    const { shape, ...output } = graph.outputs[at]!;
    const axis = dice.below(shape!.length);
    const size = shape![axis]!;
    // How many logits are kept hangs on a value: any name may stand for it.
    const others =
      typeof size === 'number' ? [size + 1, 'size'] : size === 'logits_length' ? [7] : [`not ${size}`, 7];
    const wrong = dice.pick([
      shape!.with(axis, dice.pick(others)),
      shape!.slice(1),
      [...shape!, 1],
      undefined,
    ]);
    return withInfo(model, 'outputs', at, { ...output, shape: wrong });
  },
  'an output is not there': ({ model, graph, dice }) => {
    const at = dice.below(graph.outputs.length);
    return withInfo(model, 'outputs', at, { ...graph.outputs[at]!, name: UNKNOWN });
  },
  'an output is declared twice': ({ model, graph, dice }) => {
    const output = dice.pick(graph.outputs);
    return withGraph(model, { outputs: [...graph.outputs, output] }, output.name);
  },
  'a version is another': ({ model, dice }) => {
    const { opsets } = model;
    const others: Partial<OnnxModel>[] = [
      { irVersion: dice.pick([3, 9, 14, 0]) },
      { opsets: { ...opsets, '': dice.pick([7, 20, 22, 0]) } },
      { opsets: { 'com.microsoft': 1 } },
      { opsets: { ...opsets, 'com.microsoft': 2 } },
      { opsets: { '': 21 } },
    ];
    const change = dice.pick(others);
    return { mistake: JSON.stringify(change), model: { ...model, ...change } };
  },
};

/**
 * Operators that give the same types and shapes for the same inputs, or such as broadcast to them, so that
 * one may stand for the other.
 */
const ALIKE: Readonly<Record<string, string>> = {
  Sub: 'Add',
  Mul: 'Add',
  Neg: 'one to one',
  Relu: 'one to one',
  Softmax: 'one to one',
  Concat: 'one to one',
  Unsqueeze: 'Gather',
};

const WRONG_VALUES: Readonly<Record<string, (value: number) => readonly number[]>> = {
  axis: () => [9, -9, 0.5],
  start: (axis) => [axis + 1],
  end: (axis) => [axis + 1],
  to: (code) => [0, 16, code === 1 ? 9 : 7],
  transB: (flag) => [1 - flag, 2],
  K: (size) => [size + 1, size + 32, 0],
  N: (size) => [size + 1, 0, -size],
  bits: (bits) => [12 - bits, 2, 5],
  block_size: () => [64, 16, 33, 0],
  accuracy_level: () => [-1, 5],
  gather_axis: () => [1, -1],
  quantize_axis: () => [0, 2],
  interleaved: () => [2, -1],
  epsilon: () => [-1e-6, 0, Number.NaN, 1],
  stash_type: () => [0, 10],
};

type Parts = Pick<Subject, 'model' | 'graph'>;

function withGraph(model: OnnxModel, change: Partial<Graph>, mistake: string): Mutant {
  return { mistake, model: { ...model, graph: { ...model.graph, ...change } } };
}

function withNodes({ model }: Parts, nodes: readonly Node[], mistake: string): Mutant {
  return withGraph(model, { nodes }, mistake);
}

function withNode({ model, graph }: Parts, node: Node, change: Partial<Node>, mistake: string): Mutant {
  const nodes = graph.nodes.with(graph.nodes.indexOf(node), { ...node, ...change });
  return withGraph(model, { nodes }, mistake);
}

function withAttribute(subject: Parts, node: Node, name: string, attribute: Attribute): Mutant {
  const attributes = { ...node.attributes, [name]: attribute };
  return withNode(
    subject,
    node,
    { attributes },
    `${node.name}, ${name}: ${attribute.type} ${attribute.value}`,
  );
}

function withInitializer(
  { model, graph }: Parts,
  initializer: Initializer,
  change: Partial<Initializer>,
): Mutant {
  const changed = { ...initializer, ...change };
  const initializers = graph.initializers.with(graph.initializers.indexOf(initializer), changed);
  const { name, type, shape } = changed;
  const place = isExternal(changed.data) ? JSON.stringify(changed.data) : `${changed.data.length} bytes`;
  return withGraph(model, { initializers }, `${name}: ${type} [${shape}], ${place}`);
}

function withInfo(model: OnnxModel, side: 'inputs' | 'outputs', at: number, info: ValueInfo): Mutant {
  const list = model.graph[side].with(at, info);
  return withGraph(model, { [side]: list }, `${info.name}: ${info.type} [${info.shape}]`);
}

function someInput({ graph, dice }: Subject): readonly [node: Node, at: number] {
  const node = dice.pick(graph.nodes);
  return [node, dice.below(node.inputs.length)];
}

function someAttribute({ graph, dice }: Subject) {
  const node = dice.pick(graph.nodes.filter(({ attributes }) => Object.keys(attributes).length > 0));
  const [name, attribute] = dice.pick(Object.entries(node.attributes));
  return { node, name, attribute };
}

function twoOf<T>(dice: Dice, list: readonly T[]): readonly [T, T] {
  const a = dice.below(list.length);
  const b = (a + 1 + dice.below(list.length - 1)) % list.length;
  return [list[a]!, list[b]!];
}

function external({ initializers }: Graph) {
  return initializers.filter((each): each is Initializer & { data: ExternalData } => isExternal(each.data));
}

function readersOf({ nodes }: Graph, name: string): Node[] {
  return nodes.filter(({ inputs }) => inputs.includes(name));
}

function resized(data: Initializer['data'], length: number): Initializer['data'] {
  if (isExternal(data)) return { ...data, length };
  const bytes = new Uint8Array(length);
  bytes.set(data.subarray(0, length));
  return bytes;
}
