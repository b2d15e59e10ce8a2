import { invalidInput } from '../../core/errors.ts';
import type { Graph } from '../graph.ts';

/** Every value and every node has a name of its own, and every value and every node is read. */
export function checkNames(graph: Graph): void {
  const given = [
    ...[...graph.inputs, ...graph.initializers].map(({ name }) => name),
    ...graph.nodes.flatMap(({ outputs }) => outputs.filter((name) => name !== '')),
  ];
  checkUnique('name of a value', given);
  checkUnique(
    'name of a node',
    graph.nodes.map(({ name }) => name),
  );
  checkUnique(
    'name of an output',
    graph.outputs.map(({ name }) => name),
  );
  const computed = new Set(graph.nodes.flatMap(({ outputs }) => outputs));
  const strange = graph.outputs.find(({ name }) => !computed.has(name));
  if (strange !== undefined)
    throw invalidInput({ field: strange.name, what: 'output that no node computes' });
  checkUsed(graph);
}

function checkUnique(what: string, names: readonly string[]): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (name === '') throw invalidInput({ what, got: name, expected: 'a name' });
    if (seen.has(name)) throw invalidInput({ field: name, what: `${what} given twice` });
    seen.add(name);
  }
}

function checkUsed(graph: Graph): void {
  const used = new Set(graph.nodes.flatMap(({ inputs }) => inputs));
  for (const { name } of graph.outputs) used.add(name);
  for (const { name } of [...graph.inputs, ...graph.initializers]) {
    if (!used.has(name)) throw invalidInput({ field: name, what: 'value that nothing reads' });
  }
  for (const { name, outputs } of graph.nodes) {
    if (!outputs.some((output) => used.has(output))) {
      throw invalidInput({ field: name, what: 'node whose outputs nothing reads' });
    }
  }
}
