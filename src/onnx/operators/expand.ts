import { isFixed } from '../check/extent.ts';
import { broadcastStrides, gatherStrided } from '../strided.ts';
import type { Operator } from './operator.ts';

/**
 * Repeated along axes of one element, until it has a shape that both it and the second input broadcast to.
 */
export const expand: Operator = {
  inputs: [2, 2],
  outputs: [1, 1],
  attributes: {},
  float16: 'moves',
  infer(call) {
    call.type(1, ['int64']);
    const [rank] = call.shape(1, 1);
    const { contents } = call.input(1);
    const target =
      contents ?? (isFixed(rank!) ? Array.from({ length: rank }, () => call.sizes.unknown()) : undefined);
    return [{ type: call.input(0).type, shape: call.broadcast([call.input(0).shape, target]) }];
  },
  evaluate({ inputs: [x], outputs: [y] }) {
    return [gatherStrided(y!.type, x!.data, 0, y!.shape, broadcastStrides(x!.shape, y!.shape))];
  },
};
