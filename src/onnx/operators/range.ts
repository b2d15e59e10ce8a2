import { type Extent, isFixed, subtract } from '../check/extent.ts';
import type { Operator } from './operator.ts';

/** The integers from a start to before a limit, `delta` apart. */
export const range: Operator = {
  inputs: [3, 3],
  outputs: [1, 1],
  attributes: {},
  float16: 'moves',
  infer(call) {
    const [start, limit, delta] = [0, 1, 2].map((index) => {
      call.type(index, ['int64']);
      call.shape(index, 0);
      return call.input(index).contents?.[0];
    });
    if (delta === 0) throw call.fault('delta', 0, 'another number');
    return [{ type: 'int64', shape: [count(start, limit, delta) ?? call.sizes.unknown()] }];
  },
  evaluate({ inputs, outputs: [y] }) {
    const [start, , delta] = inputs.map((input) => input!.data[0] as bigint);
    return [BigInt64Array.from({ length: y!.shape[0]! }, (_, i) => start! + BigInt(i) * delta!)];
  },
};

function count(start?: Extent, limit?: Extent, delta?: Extent): Extent | undefined {
  if (start === undefined || limit === undefined || delta === undefined) return undefined;
  const between = subtract(limit, start);
  if (isFixed(between) && isFixed(delta)) return Math.max(0, Math.ceil(between / delta));
  return delta === 1 ? between : undefined;
}
