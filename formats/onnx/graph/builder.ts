import type {
  Attribute,
  Dimension,
  Domain,
  ElementType,
  ExternalData,
  Graph,
  Initializer,
  Node,
  ValueInfo,
} from '../../../src/onnx/graph.ts';
import { toHalf } from '../../../src/schemes/half.ts';

/** Types of activations. */
export type FloatType = Extract<ElementType, 'float' | 'float16'>;

export interface NodeOptions {
  readonly domain?: Domain;
  readonly attributes?: Readonly<Record<string, Attribute>>;
  /** Names of the outputs; '' for one that is not wanted. Left out: one, called like the node. */
  readonly outputs?: readonly string[];
}

export const int = (value: number): Attribute => ({ type: 'int', value });
export const float = (value: number): Attribute => ({ type: 'float', value });
export const ints = (value: readonly number[]): Attribute => ({ type: 'ints', value });

/** Grows a graph node by node. Nodes are named by where they stand, as in `layers.0/attention/scores`. */
export class GraphBuilder {
  readonly #inputs: ValueInfo[] = [];
  readonly #outputs: ValueInfo[] = [];
  readonly #initializers = new Map<string, Initializer>();
  readonly #nodes: Node[] = [];

  input(name: string, type: ElementType, shape: readonly Dimension[] | undefined): string {
    this.#inputs.push({ name, type, shape });
    return name;
  }

  output(name: string, type: ElementType, shape: readonly Dimension[]): void {
    this.#outputs.push({ name, type, shape });
  }

  /** Adds a node and returns the name of its first output. */
  add(opType: string, name: string, inputs: readonly string[], options: NodeOptions = {}): string {
    const { domain = '', attributes = {}, outputs = [name] } = options;
    this.#nodes.push({ name, opType, domain, inputs, outputs, attributes });
    return outputs[0]!;
  }

  /** A constant whose bytes lie in a file of data. */
  external(name: string, type: ElementType, shape: readonly number[], data: ExternalData): string {
    this.#initializers.set(name, { name, type, shape, data });
    return name;
  }

  /** Integers in the graph itself: a list, or a scalar. The same ones are stored once. */
  integers(values: readonly number[] | number): string {
    const list = typeof values === 'number' ? [values] : values;
    const bytes = new Uint8Array(BigInt64Array.from(list, BigInt).buffer);
    const name = typeof values === 'number' ? `int64 ${values}` : `int64 [${list.join(', ')}]`;
    return this.#inline(name, 'int64', typeof values === 'number' ? [] : [list.length], bytes);
  }

  /** A scalar in the graph itself. */
  scalar(type: FloatType, value: number): string {
    const stored = type === 'float' ? Float32Array.of(value) : Uint16Array.of(toHalf(value));
    return this.#inline(`${type} ${value}`, type, [], new Uint8Array(stored.buffer));
  }

  /** The same unsigned byte `count` times, in the graph itself. */
  bytes(value: number, count: number): string {
    return this.#inline(`uint8 ${value} x ${count}`, 'uint8', [count], new Uint8Array(count).fill(value));
  }

  build(name: string): Graph {
    return {
      name,
      inputs: this.#inputs,
      outputs: this.#outputs,
      initializers: [...this.#initializers.values()],
      nodes: this.#nodes,
    };
  }

  #inline(name: string, type: ElementType, shape: readonly number[], data: Uint8Array): string {
    this.#initializers.set(name, { name, type, shape, data });
    return name;
  }
}
