import type { Tensor } from '../../src/core/tensor.ts';
import { unknownName } from '../../src/core/text/unknown-name.ts';
import type { BlockScheme } from '../../src/schemes/block-planes.ts';
import type { Dtype } from './folder/graph-file.ts';
import type { FloatType } from './graph/builder.ts';
import { BlockWeights } from './weights/block-weights.ts';
import { FloatWeights } from './weights/float-weights.ts';
import type { Placer } from './weights/placer.ts';
import { RowWeights } from './weights/row-weights.ts';
import type { Weights } from './weights/weights.ts';

export interface OnnxScheme {
  readonly name: string;
  readonly summary: string;
  /** What transformers.js calls it. */
  readonly dtype: Dtype;
  /** Of activations and caches. */
  readonly type: FloatType;
  readonly weights: (placer: Placer) => Weights;
}

export const ONNX_SCHEMES: readonly OnnxScheme[] = [
  {
    name: 'f32',
    summary: '32-bit floats: exact, and the fastest on WebAssembly if memory allows',
    dtype: 'fp32',
    type: 'float',
    weights: (placer) => new FloatWeights(placer, 'float'),
  },
  {
    name: 'f16',
    summary: '16-bit weights, activations and caches, for GPUs',
    dtype: 'fp16',
    type: 'float16',
    weights: (placer) => new FloatWeights(placer, 'float16'),
  },
  {
    name: 'q8',
    summary: '8 bits with one scale per row and 8-bit activations, for WebAssembly',
    dtype: 'q8',
    type: 'float',
    weights: (placer) => new RowWeights(placer),
  },
  {
    name: 'q4',
    summary: '4 bits in blocks of 32; embedding and kv_b 8 bits: for CPUs, and GPUs without f16',
    dtype: 'q4',
    type: 'float',
    weights: (placer) => new BlockWeights(placer, 'float', q4SchemeOf),
  },
  {
    name: 'q4f16',
    summary: 'weights as in q4, 16-bit activations and caches, for GPUs',
    dtype: 'q4f16',
    type: 'float16',
    weights: (placer) => new BlockWeights(placer, 'float16', q4SchemeOf),
  },
];

/** A twentieth of the weights, and every logit or every cached token goes through them. */
const FINE = /embed_tokens|lm_head|kv?_b_proj|v_b_proj/;

function q4SchemeOf({ name }: Tensor): BlockScheme {
  return FINE.test(name) ? 'Q8_0' : 'Q4_0';
}

/** @throws PressError usage for a name that is none. */
export function onnxSchemeNamed(name: string): OnnxScheme {
  const scheme = ONNX_SCHEMES.find((known) => known.name === name.toLowerCase());
  if (scheme === undefined) {
    throw unknownName(
      'ONNX scheme',
      name,
      ONNX_SCHEMES.map((known) => known.name),
    );
  }
  return scheme;
}
