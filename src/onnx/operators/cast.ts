import { ELEMENT_TYPES, type ElementType } from '../graph.ts';
import { newElements } from '../value.ts';
import type { Operator } from './operator.ts';

const BY_CODE = new Map(
  Object.entries(ELEMENT_TYPES).map(([name, { code }]) => [code as number, name as ElementType]),
);

/** Of the same value in another type; towards zero from floats to integers. */
export const cast: Operator = {
  inputs: [1, 1],
  outputs: [1, 1],
  attributes: {
    to: {
      type: 'int',
      required: true,
      allows: (code) => BY_CODE.has(code),
      expected: [...BY_CODE].map(([code, name]) => `${code} (${name})`).join(', '),
    },
  },
  // ONNX Runtime drops it between float16 and f32 wherever a neighbour computes in f32.
  float16: 'casts',
  infer(call) {
    const { shape, contents } = call.input(0);
    const type = BY_CODE.get(call.int('to'))!;
    return [{ type, shape, contents: type === 'int64' || type === 'int32' ? contents : undefined }];
  },
  evaluate({ inputs: [x], outputs: [y] }) {
    const out = newElements(y!.type, x!.data.length);
    const convert = converter(y!.type);
    for (let i = 0; i < out.length; i++) out[i] = convert(x!.data[i]!);
    return [out];
  },
};

function converter(type: ElementType): (value: number | bigint) => number | bigint {
  if (type === 'bool') return (value) => (Number(value) !== 0 ? 1 : 0);
  if (type === 'int64') return (value) => (typeof value === 'bigint' ? value : BigInt(Math.trunc(value)));
  return Number;
}
