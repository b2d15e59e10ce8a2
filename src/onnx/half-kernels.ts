import type { Call } from './check/call.ts';
import type { Graph, Node } from './graph.ts';
import { operatorOf } from './operators/index.ts';

/**
 * The nodes through which float16 goes in f32: those whose kernels widen it, and those alone among such
 * nodes. So ONNX Runtime does where its CPU provider has no kernel of float16 for a neighbour
 * (insert_cast_transformer.cc): it casts to f32 and back around the neighbour, drops pairs of casts that
 * meet, and runs a single node between casts in f32 too.
 */
export function widened(calls: readonly Call[], graph: Graph): ReadonlySet<Node> {
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const producers = new Map<string, Call>();
  const readers = new Map<string, Call[]>();
  for (const call of calls) {
    for (const name of call.node.outputs) producers.set(name, call);
    for (const name of call.node.inputs) readers.set(name, [...(readers.get(name) ?? []), call]);
  }
  const kernelOf = (node: Node) => operatorOf(node)!.float16;
  const wide = new Set(calls.map(({ node }) => node).filter((node) => kernelOf(node) === 'widens'));
  const needsCasts = (call: Call | undefined) =>
    call !== undefined && wide.has(call.node) && call.inputs.some((input) => input?.type === 'float16');
  for (const { node, inputs } of calls) {
    if (kernelOf(node) !== 'moves') continue;
    const halves = node.inputs.filter((_, i) => inputs[i]?.type === 'float16');
    const alone =
      halves.length > 0 &&
      halves.every((name) => needsCasts(producers.get(name))) &&
      !node.outputs.some((name) => outputs.has(name)) &&
      node.outputs.flatMap((name) => readers.get(name) ?? []).every(needsCasts);
    if (alone) wide.add(node);
  }
  for (const { node } of calls) if (kernelOf(node) === 'casts') wide.add(node);
  return wide;
}
