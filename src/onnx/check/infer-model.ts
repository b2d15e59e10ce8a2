import { invalidInput } from '../../core/errors.ts';
import type { Node, OnnxModel } from '../graph.ts';
import { operatorOf } from '../operators/index.ts';
import type { Operator } from '../operators/operator.ts';
import { Call } from './call.ts';
import { DeclaredOutputs } from './declared-outputs.ts';
import { Sizes } from './sizes.ts';
import { typeOfInitializer, typeOfInput, type ValueType } from './value-type.ts';

/** What follows from the inputs and initializers of a graph. */
export interface InferredModel {
  /** By name of value. */
  readonly types: ReadonlyMap<string, ValueType>;
  readonly calls: readonly Call[];
}

/**
 * Throws `invalid-input` at the first node that reads a value that no earlier node computes or that does not
 * fit its operator, or that has another output than the graph declares.
 */
export function inferModel({ graph }: OnnxModel): InferredModel {
  const types = new Map<string, ValueType>();
  for (const initializer of graph.initializers) types.set(initializer.name, typeOfInitializer(initializer));
  for (const input of graph.inputs) types.set(input.name, typeOfInput(input));
  const sizes = new Sizes();
  // Declared outputs are applied as soon as they exist: they may show that a named size is a sum of others.
  const declared = new DeclaredOutputs(graph, sizes);
  const calls = graph.nodes.map((node) => {
    const operator = knownOperator(node);
    const call = callOf(node, operator, types, sizes);
    const outputs = operator.infer(call);
    if (node.outputs.length > outputs.length) {
      // No test: operators that take several outputs infer as many.
      throw call.fault('number of outputs', node.outputs.length, `at most ${outputs.length}`);
    }
    for (const [i, name] of node.outputs.entries()) {
      if (name === '') continue;
      types.set(name, outputs[i]!);
      declared.check(name, outputs[i]!);
    }
    return call;
  });
  return { types, calls };
}

function knownOperator(node: Node): Operator {
  const operator = operatorOf(node);
  if (operator !== undefined) return operator;
  const got = node.domain === '' ? node.opType : `${node.domain}.${node.opType}`;
  throw invalidInput({ field: node.name, what: 'unknown operator', got });
}

function callOf(node: Node, operator: Operator, types: ReadonlyMap<string, ValueType>, sizes: Sizes): Call {
  const inputs = node.inputs.map((name) => {
    if (name === '') return undefined;
    const type = types.get(name);
    if (type === undefined) {
      throw invalidInput({ field: node.name, what: 'input that no earlier node computes', got: name });
    }
    return type;
  });
  const call = new Call(node, operator, inputs, sizes);
  call.checkForm();
  return call;
}
