import type { CacheForm } from '../../../src/core/config.ts';
import type { Model } from '../../../src/core/model.ts';
import { type LayerRole, layerTensorName, type ModelRole, modelTensorName } from '../../../src/core/names.ts';
import type { Tensor } from '../../../src/core/tensor.ts';
import { ELEMENT_TYPES } from '../../../src/onnx/graph.ts';
import type { Weights } from '../weights/weights.ts';
import { type FloatType, type GraphBuilder, int } from './builder.ts';
import { ExpandedAttention } from './expanded-attention.ts';
import { BATCH, GraphInputs, SEQUENCE } from './inputs.ts';
import { LatentAttention } from './latent-attention.ts';
import { RmsNorm } from './rms-norm.ts';
import type { RopeTables } from './rope.ts';

export interface PlmGraphOptions {
  readonly cache: CacheForm;
  /** Of activations and caches; logits are `float`. */
  readonly type: FloatType;
  readonly weights: Weights;
  readonly rope: RopeTables;
}

/** Ends a slice at its last element. */
const END = 2 ** 31 - 1;

/**
 * Adds a whole PLM (arXiv 2503.12167) to a graph. Prefill and decode are the same nodes: tokens
 * `[batch, sequence]` follow those whose caches come as inputs, of which there may be none. Activations
 * between the blocks are `[batch * sequence, hidden_size]`, as `Gemm` takes them.
 */
export function addPlm(graph: GraphBuilder, model: Model, options: PlmGraphOptions): void {
  const { config } = model;
  const { type, weights, cache } = options;
  const inputs = new GraphInputs(graph);
  const tensor = (name: string): Tensor => model.tensors.get(name)!;
  const outer = (role: ModelRole) => tensor(modelTensorName(role));
  graph.output('logits', 'float', [BATCH, 'logits_length', config.vocabSize]);
  const norm = new RmsNorm(graph, config.rmsNormEps);
  const parts = { graph, config, inputs, norm, ...options };
  const attention = cache === 'latent' ? new LatentAttention(parts) : new ExpandedAttention(parts);

  const ids = graph.add('Reshape', 'embed/ids', [inputs.ids, graph.integers([-1])]);
  let hidden = weights.embed('embed', ids, outer('embed_tokens'));
  let update: string | undefined;
  for (let layer = 0; layer < config.numHiddenLayers; layer++) {
    const at = (name: string) => `layers.${layer}/${name}`;
    const part = (role: LayerRole) => tensor(layerTensorName(role, layer));
    const gamma = (role: LayerRole) => weights.vector(part(role));
    const input = at('input_layernorm');
    const before =
      update === undefined
        ? { normed: norm.of(input, hidden, gamma('input_layernorm')), sum: hidden }
        : norm.ofSum(input, hidden, update, gamma('input_layernorm'));
    const attended = attention.add(layer, before.normed, part);
    const after = at('post_attention_layernorm');
    const between = norm.ofSum(after, before.sum, attended, gamma('post_attention_layernorm'));
    const up = weights.linear(at('mlp/up_proj'), between.normed, part('up_proj'));
    const positive = graph.add('Relu', at('mlp/relu'), [up]);
    const squared = graph.add('Mul', at('mlp/relu_squared'), [positive, positive]);
    const down = weights.linear(at('mlp/down_proj'), squared, part('down_proj'));
    update = config.ffnBias
      ? graph.add('Add', at('mlp/down_proj_bias'), [down, gamma('down_proj_bias')])
      : down;
    hidden = between.sum;
  }

  const last = graph.add('Add', 'final/hidden', [hidden, update!]);
  const kept = keepLast(graph, inputs, last, config.hiddenSize);
  const normed = norm.of('final/norm', kept, weights.vector(outer('norm')));
  const head = weights.linear(
    'lm_head',
    normed,
    outer(config.tieWordEmbeddings ? 'embed_tokens' : 'lm_head'),
  );
  const shape = inputs.shape(BATCH, -1, config.vocabSize);
  if (type === 'float') graph.add('Reshape', 'lm_head/reshape', [head, shape], { outputs: ['logits'] });
  else {
    const halves = graph.add('Reshape', 'lm_head/reshape', [head, shape]);
    graph.add('Cast', 'lm_head/cast', [halves], {
      attributes: { to: int(ELEMENT_TYPES.float.code) },
      outputs: ['logits'],
    });
  }
}

/**
 * The last `num_logits_to_keep` positions of every sequence, `[n, hidden]`. A slice from -0 on is all of
 * them.
 */
function keepLast(graph: GraphBuilder, inputs: GraphInputs, x: string, hidden: number): string {
  const sequences = graph.add('Reshape', 'final/sequences', [x, inputs.shape(BATCH, SEQUENCE, hidden)]);
  const count = graph.add('Reshape', 'final/count', [inputs.logitsToKeep, graph.integers([1])]);
  const start = graph.add('Neg', 'final/start', [count]);
  const slice = [sequences, start, graph.integers([END]), graph.integers([1])];
  const last = graph.add('Slice', 'final/last', slice);
  return graph.add('Reshape', 'final/kept', [last, graph.integers([-1, hidden])]);
}
