import { isFixed } from '../check/extent.ts';
import { elementCount } from '../value.ts';
import { FLOATS, type Operator } from './operator.ts';

/**
 * Rotates pairs of values of [batch, heads, positions, D] by the angles of their positions, whose cosines and
 * sines are [positions, D / 2].
 */
export const rotaryEmbedding: Operator = {
  inputs: [4, 4],
  outputs: [1, 1],
  attributes: {
    interleaved: { type: 'int', value: 0, allows: (flag) => flag === 0 || flag === 1, expected: '0 or 1' },
  },
  float16: 'computes',
  infer(call) {
    const type = call.type(0, FLOATS);
    call.type(1, ['int64']);
    call.type(2, [type]);
    call.type(3, [type]);
    const shape = call.shape(0, 4);
    const [batch, , positions, width] = shape;
    call.sameShape('positions', call.shape(1), [batch!, positions!]);
    if (!isFixed(width!) || width % 2 !== 0) throw call.fault('last axis', String(width), 'an even number');
    const cosines = call.shape(2, 2);
    call.same('angles of a position', cosines[1]!, width / 2);
    call.sameShape('sines', call.shape(3), cosines);
    return [{ type, shape }];
  },
  evaluate({ call, inputs }) {
    const [x, positions, cosines, sines] = inputs.map((input) => input!.data) as [
      Float32Array,
      BigInt64Array,
      Float32Array,
      Float32Array,
    ];
    const [batch, heads, length, width] = inputs[0]!.shape as [number, number, number, number];
    const half = width / 2;
    const [step, apart] = call.int('interleaved') === 1 ? [2, 1] : [1, half];
    const known = inputs[2]!.shape[0]!;
    const out = new Float32Array(elementCount(inputs[0]!.shape));
    for (let vector = 0; vector < batch * heads * length; vector++) {
      const [b, t] = [Math.floor(vector / (heads * length)), vector % length];
      const position = Number(positions[b * length + t]!);
      if (position < 0 || position >= known) throw call.fault('position', position, `0 to ${known - 1}`);
      for (let i = 0; i < half; i++) {
        const [cos, sin] = [cosines[position * half + i]!, sines[position * half + i]!];
        const at = vector * width + i * step;
        const [re, im] = [x[at]!, x[at + apart]!];
        out[at] = re * cos - im * sin;
        out[at + apart] = re * sin + im * cos;
      }
    }
    return [out];
  },
};
