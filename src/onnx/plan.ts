import type { Call } from './check/call.ts';
import { inferModel } from './check/infer-model.ts';
import type { Initializer, Node, OnnxModel } from './graph.ts';
import { widened } from './half-kernels.ts';
import { operatorOf } from './operators/index.ts';
import { type ConstantSource, type Constants, keyOf, type WeightRequest } from './weights/weight-request.ts';

/** A node as the interpreter runs it. */
export interface Step {
  readonly call: Call;
  /** Values that must be at hand; '' where an input is left out or a weight stands in for it. */
  readonly inputs: readonly string[];
  /** Key of the matrix that the operator asked for. */
  readonly weight: string | undefined;
  /** Whether float16 goes through in f32; see `HalfKernel`. */
  readonly wide: boolean;
  /** Values that no later step reads. */
  readonly frees: readonly string[];
}

/** In which order what is computed. */
export interface Plan {
  readonly weights: ReadonlyMap<string, WeightRequest>;
  /** Initializers whose elements steps read. */
  readonly constants: readonly Initializer[];
  /** Steps that depend on constants only, to be done once. */
  readonly folded: readonly Step[];
  readonly steps: readonly Step[];
}

/** Plans a model that `checkModel` has let pass. Nodes without influence on the outputs are left out. */
export function planModel(model: OnnxModel): Plan {
  const { graph } = model;
  const { calls } = inferModel(model);
  const sources = sourcesOf(graph.initializers, calls);
  const weights = new Map<string, WeightRequest>();
  const drafts = calls.map((call) => draftOf(call, sources, weights));
  const needed = new Set(graph.outputs.map(({ name }) => name));
  const live = drafts
    .toReversed()
    .filter(({ call, inputs }) => {
      if (!call.node.outputs.some((name) => needed.has(name))) return false;
      for (const name of inputs) needed.add(name);
      return true;
    })
    .toReversed();

  const constants = graph.initializers.filter(({ name }) => needed.has(name));
  const known = new Set(constants.map(({ name }) => name));
  const [folded, steps]: [Draft[], Draft[]] = [[], []];
  for (const draft of live) {
    const isConstant =
      draft.weight === undefined && draft.inputs.every((name) => name === '' || known.has(name));
    if (isConstant) for (const name of draft.call.node.outputs) known.add(name);
    (isConstant ? folded : steps).push(draft);
  }
  const wide = widened(
    live.map(({ call }) => call),
    graph,
  );
  const kept = new Set([...known, ...graph.outputs.map(({ name }) => name)]);
  return {
    weights: new Map([...weights].filter(([key]) => steps.some(({ weight }) => weight === key))),
    constants,
    folded: folded.map((draft) => ({ ...draft, wide: wide.has(draft.call.node), frees: [] })),
    steps: withFrees(steps, kept).map((step) => ({ ...step, wide: wide.has(step.call.node) })),
  };
}

type Draft = Omit<Step, 'wide' | 'frees'>;

function draftOf(call: Call, constants: Constants, weights: Map<string, WeightRequest>): Draft {
  const { inputs } = call.node;
  const request = operatorOf(call.node)!.weights?.(call, constants);
  if (request === undefined) return { call, inputs, weight: undefined };
  const weight = keyOf(request);
  weights.set(weight, request);
  return { call, weight, inputs: inputs.map((name, i) => (request.instead.includes(i) ? '' : name)) };
}

function withFrees(drafts: readonly Draft[], kept: ReadonlySet<string>): Omit<Step, 'wide'>[] {
  const seen = new Set(kept).add('');
  return drafts
    .toReversed()
    .map((draft) => {
      const frees = [...new Set([...draft.inputs, ...draft.call.node.outputs])].filter(
        (name) => !seen.has(name),
      );
      for (const name of frees) seen.add(name);
      return { ...draft, frees };
    })
    .toReversed();
}

/** Which values are initializers, perhaps in another shape or with the last two axes exchanged. */
function sourcesOf(initializers: readonly Initializer[], calls: readonly Call[]): Constants {
  const sources = new Map<string, ConstantSource>(
    initializers.map((initializer) => [initializer.name, { initializer, transposed: false }]),
  );
  for (const { node } of calls) {
    const source = sources.get(node.inputs[0]!);
    const moved = source && moveOf(node, source);
    if (moved !== undefined) sources.set(node.outputs[0]!, moved);
  }
  return { source: (value) => sources.get(value) };
}

function moveOf(node: Node, source: ConstantSource): ConstantSource | undefined {
  if (node.domain !== '') return undefined;
  if (['Reshape', 'Squeeze', 'Unsqueeze'].includes(node.opType) && !source.transposed) return source;
  if (node.opType !== 'Transpose' || !exchangesLast(node)) return undefined;
  return { ...source, transposed: !source.transposed };
}

function exchangesLast({ attributes: { perm } }: Node): boolean {
  if (perm?.type !== 'ints') return false;
  const { length } = perm.value;
  return (
    length >= 2 &&
    perm.value.every(
      (axis, i) => axis === (i === length - 1 ? length - 2 : i === length - 2 ? length - 1 : i),
    )
  );
}
