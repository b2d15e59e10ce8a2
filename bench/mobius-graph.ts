import { float } from '../formats/onnx/graph/builder.ts';
import type { PlmConfig } from '../src/core/config.ts';
import { qkHeadDim } from '../src/core/config.ts';
import type { Node, OnnxModel } from '../src/onnx/graph.ts';

/** The first with operators that know their caches, and what mobius writes. */
const OPSET = 24;
const IR_VERSION = 12;

/**
 * What the standard `Attention` does itself, of the nodes that our graph with an expanded cache has in a
 * layer.
 */
const DONE_INSIDE =
  /^layers\.\d+\/attention\/(query_scaled|key_transposed|scores|scores_masked|probabilities)$|^present\./;

/**
 * A graph of ours with an expanded cache as onnxruntime/mobius writes it for PLM: one `Attention` of opset 24
 * in a layer takes caches, scale and mask. Everything else, weights above all, stays as it is.
 */
export function mobiusGraph(model: OnnxModel, config: PlmConfig): OnnxModel {
  const nodes = new Map(model.graph.nodes.map((node) => [node.name, node]));
  const added = (present: string) => nodes.get(present)!.inputs[1]!;
  const attention = ({ name, outputs }: Node): Node => {
    const layer = /^layers\.(\d+)/.exec(name)![1]!;
    const at = (part: string) => `layers.${layer}/attention/${part}`;
    const cache = (when: string) => ['key', 'value'].map((part) => `${when}.${layer}.${part}`);
    const present = cache('present');
    const bias = nodes.get(at('scores_masked'))!.inputs[1]!;
    return {
      name,
      opType: 'Attention',
      domain: '',
      inputs: [at('query'), ...present.map(added), bias, ...cache('past_key_values')],
      outputs: [...outputs, ...present],
      attributes: { scale: float(1 / Math.sqrt(qkHeadDim(config))) },
    };
  };
  return {
    ...model,
    irVersion: IR_VERSION,
    opsets: { ...model.opsets, '': OPSET },
    graph: {
      ...model.graph,
      nodes: model.graph.nodes
        .filter(({ name }) => !DONE_INSIDE.test(name))
        .map((node) => (node.name.endsWith('/attended_by_head') ? attention(node) : node)),
    },
  };
}
