import type { Domain, Node } from '../graph.ts';
import { addition, conjunction, equality, lessOrEqual, multiplication, subtraction } from './arithmetic.ts';
import { cast } from './cast.ts';
import { concat } from './concat.ts';
import { dynamicQuantizeMatmul } from './dynamic-quantize-matmul.ts';
import { expand } from './expand.ts';
import { gather } from './gather.ts';
import { gatherBlockQuantized } from './gather-block-quantized.ts';
import { gemm } from './gemm.ts';
import { matmul } from './matmul.ts';
import { matmulNBits } from './matmul-nbits.ts';
import type { Operator } from './operator.ts';
import { range } from './range.ts';
import { reshape } from './reshape.ts';
import { rotaryEmbedding } from './rotary-embedding.ts';
import { shapeOf } from './shape-of.ts';
import {
  simplifiedLayerNormalization,
  skipSimplifiedLayerNormalization,
} from './simplified-layer-normalization.ts';
import { slice } from './slice.ts';
import { softmax } from './softmax.ts';
import { split } from './split.ts';
import { squeeze, unsqueeze } from './squeeze.ts';
import { transpose } from './transpose.ts';
import { negation, relu } from './unary.ts';
import { where } from './where.ts';

/** By domain and `opType`, in the meaning of opset 21 and of version 1 of com.microsoft. */
const OPERATORS: Readonly<Record<Domain, ReadonlyMap<string, Operator>>> = {
  '': new Map([
    ['Add', addition],
    ['And', conjunction],
    ['Cast', cast],
    ['Concat', concat],
    ['Equal', equality],
    ['Expand', expand],
    ['Gather', gather],
    ['Gemm', gemm],
    ['LessOrEqual', lessOrEqual],
    ['MatMul', matmul],
    ['Mul', multiplication],
    ['Neg', negation],
    ['Range', range],
    ['Relu', relu],
    ['Reshape', reshape],
    ['Shape', shapeOf],
    // Not an operator of ONNX, but one that ONNX Runtime knows in its domain.
    ['SimplifiedLayerNormalization', simplifiedLayerNormalization],
    ['Slice', slice],
    ['Softmax', softmax],
    ['Split', split],
    ['Squeeze', squeeze],
    ['Sub', subtraction],
    ['Transpose', transpose],
    ['Unsqueeze', unsqueeze],
    ['Where', where],
  ]),
  'com.microsoft': new Map([
    ['DynamicQuantizeMatMul', dynamicQuantizeMatmul],
    ['GatherBlockQuantized', gatherBlockQuantized],
    ['MatMulNBits', matmulNBits],
    ['RotaryEmbedding', rotaryEmbedding],
    ['SkipSimplifiedLayerNormalization', skipSimplifiedLayerNormalization],
  ]),
};

/** Undefined for operators that are not known. */
export function operatorOf({ domain, opType }: Pick<Node, 'domain' | 'opType'>): Operator | undefined {
  return OPERATORS[domain]?.get(opType);
}
