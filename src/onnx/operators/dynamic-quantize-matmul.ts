import { isFixed } from '../check/extent.ts';
import { elementCount } from '../value.ts';
import { BYTES_OFFSET } from '../weights/weight-request.ts';
import type { Operator } from './operator.ts';
import { roundToEven } from './round-to-even.ts';

const { fround } = Math;
const UINT8_MAX = 255;

/**
 * A B for A [..., K] in floats and B [K, N] in uint8 with a scale and a zero point a column. A is rounded to
 * uint8 by one scale and zero point, as DynamicQuantizeLinear does.
 */
export const dynamicQuantizeMatmul: Operator = {
  inputs: [4, 4],
  outputs: [1, 1],
  attributes: {},
  float16: 'widens',
  infer(call) {
    call.type(0, ['float']);
    call.type(1, ['uint8']);
    call.type(2, ['float']);
    call.type(3, ['uint8']);
    const shape = call.shape(0);
    const [depth, columns] = call.shape(1, 2);
    if (shape.length === 0) throw call.fault('rank of input 0', 0, 'at least 1');
    call.same('last axis of input 0', shape.at(-1)!, depth!);
    call.sameShape('scales', call.shape(2), [columns!]);
    call.sameShape('zero points', call.shape(3), [columns!]);
    return [{ type: 'float', shape: shape.with(-1, columns!) }];
  },
  weights(call, constants) {
    const source = constants.source(call.node.inputs[1]!);
    const [depth, columns] = call.shape(1);
    if (source === undefined || !isFixed(depth!) || !isFixed(columns!)) {
      throw call.fault('input 1', 'a computed one', 'an initializer');
    }
    return {
      form: 'bytes',
      instead: [1],
      data: source.initializer,
      transposed: !source.transposed,
      rows: columns,
      columns: depth,
    };
  },
  evaluate({ inputs: [a, , scales, zeroPoints], outputs, weight, products }) {
    const x = a!.data as Float32Array;
    const depth = a!.shape.at(-1)!;
    const { codes, scale } = quantize(x);
    const out = new Float32Array(elementCount(outputs[0]!.shape));
    products.multiply(codes, depth, weight!, out);
    const columns = scales!.data.length;
    const factors = Float32Array.from(scales!.data as Float32Array, (each) => each * scale);
    const shifts = Float32Array.from(zeroPoints!.data as Uint8Array, (each) => BYTES_OFFSET - each);
    for (let t = 0; t * columns < out.length; t++) {
      const sum = codes.subarray(t * depth, (t + 1) * depth).reduce((total, code) => total + code, 0);
      for (let n = 0; n < columns; n++) {
        const at = t * columns + n;
        out[at] = (out[at]! + shifts[n]! * sum) * factors[n]!;
      }
    }
    return [out];
  },
};

/** Codes less their zero point. */
function quantize(x: Float32Array): { readonly codes: Float32Array; readonly scale: number } {
  const least = x.reduce((a, b) => Math.min(a, b), 0);
  const greatest = x.reduce((a, b) => Math.max(a, b), 0);
  const scale = least === greatest ? 1 : fround(fround(greatest - least) / UINT8_MAX);
  const zeroPoint = clamp(roundToEven(fround(-least / scale)));
  return {
    codes: x.map((value) => clamp(roundToEven(fround(value / scale)) + zeroPoint) - zeroPoint),
    scale,
  };
}

function clamp(code: number): number {
  return Math.min(Math.max(code, 0), UINT8_MAX);
}
