import { multiply } from '../check/extent.ts';
import type { ElementType } from '../graph.ts';
import { newElements } from '../value.ts';
import type { Operator } from './operator.ts';

const UNARY = { inputs: [1, 1], outputs: [1, 1], attributes: {}, float16: 'widens' } as const;

export const negation: Operator = {
  ...UNARY,
  infer(call) {
    const type = call.type(0, ['float', 'float16', 'int64', 'int32']);
    const { shape, contents } = call.input(0);
    return [{ type, shape, contents: contents?.map((extent) => multiply(extent, -1)) }];
  },
  evaluate({ inputs: [x] }) {
    // Minus does the same to the bigints of int64.
    return [map(x!.type, x!.data as Float32Array, (value) => -value)];
  },
};

export const relu: Operator = {
  ...UNARY,
  infer: (call) => [{ type: call.type(0, ['float', 'float16']), shape: call.input(0).shape }],
  evaluate({ inputs: [x] }) {
    return [map(x!.type, x!.data as Float32Array, (value) => Math.max(value, 0))];
  },
};

function map(type: ElementType, x: Float32Array, apply: (value: number) => number): Float32Array {
  const y = newElements(type, x.length) as Float32Array;
  for (let i = 0; i < x.length; i++) y[i] = apply(x[i]!);
  return y;
}
