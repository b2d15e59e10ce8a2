import type { Call } from '../check/call.ts';
import type { Extent } from '../check/extent.ts';
import type { Operator } from './operator.ts';

const RANK = { inputs: [2, 2], outputs: [1, 1], attributes: {}, float16: 'moves' } as const;

/** Without axes of one element. */
export const squeeze: Operator = {
  ...RANK,
  infer(call) {
    const { type, contents } = call.input(0);
    const old = call.shape(0);
    const axes = axesOf(call, old.length);
    for (const axis of axes) call.same(`size of axis ${axis}`, old[axis]!, 1);
    return [{ type, shape: old.filter((_, axis) => !axes.includes(axis)), contents }];
  },
  evaluate: ({ inputs: [x] }) => [x!.data],
};

/** With further axes of one element. */
export const unsqueeze: Operator = {
  ...RANK,
  infer(call) {
    const { type, contents } = call.input(0);
    const old = call.shape(0).values();
    const rank = call.shape(0).length + (call.constants(1)?.length ?? 0);
    const axes = axesOf(call, rank);
    const shape = Array.from(
      { length: rank },
      (_, axis): Extent => (axes.includes(axis) ? 1 : old.next().value!),
    );
    return [{ type, shape, contents: rank < 2 ? contents : undefined }];
  },
  evaluate: ({ inputs: [x] }) => [x!.data],
};

function axesOf(call: Call, rank: number): number[] {
  call.type(1, ['int64']);
  call.shape(1, 1);
  const axes = call.constants(1)?.map((axis) => call.axis(axis, rank));
  if (axes === undefined || new Set(axes).size < axes.length) {
    throw call.fault('axes', axes, 'constants, each once');
  }
  return axes;
}
