import type { Call } from '../check/call.ts';
import { add, type Extent, equal, isFixed, subtract } from '../check/extent.ts';
import { gatherStrided } from '../strided.ts';
import { stridesOf } from '../value.ts';
import type { Operator } from './operator.ts';

/** An end that stands for the end of the axis, whatever its size. */
const TO_THE_END = 2 ** 31 - 1;

/**
 * The part between `starts` and `ends` along `axes`; negative ones count from the end, those beyond it are
 * moved to it.
 */
export const slice: Operator = {
  inputs: [4, 4],
  outputs: [1, 1],
  attributes: {},
  float16: 'moves',
  infer(call) {
    const { type, contents } = call.input(0);
    const shape = call.shape(0);
    const ranges = rangesOf(call);
    const [range] = ranges;
    const { start, end } = range ?? {};
    return [
      {
        type,
        shape: shape.map((size, axis) => {
          const cut = ranges.find((each) => each.axis === axis);
          return cut === undefined ? size : (extentBetween(size, cut) ?? call.sizes.unknown());
        }),
        contents:
          start !== undefined && end !== undefined && isFixed(start) && isFixed(end)
            ? contents?.slice(start, end)
            : undefined,
      },
    ];
  },
  evaluate({ call, inputs: [x], outputs: [y] }) {
    const strides = stridesOf(x!.shape);
    const offset = rangesOf(call).reduce(
      (sum, { axis, start }) => sum + place(start as number, x!.shape[axis]!) * strides[axis]!,
      0,
    );
    return [gatherStrided(y!.type, x!.data, offset, y!.shape, strides)];
  },
};

interface Range {
  readonly axis: number;
  /** Undefined: not known before the model runs. */
  readonly start: Extent | undefined;
  readonly end: Extent | undefined;
}

function rangesOf(call: Call): readonly Range[] {
  const rank = call.shape(0).length;
  const axes = call.constants(3)?.map((axis) => call.axis(axis, rank));
  if (axes === undefined || new Set(axes).size < axes.length) {
    throw call.fault('axes', axes, 'constants, each once');
  }
  for (const index of [1, 2, 3]) {
    call.type(index, ['int64']);
    call.sameShape(`input ${index}`, call.shape(index), [axes.length]);
  }
  const [starts, ends] = [call.input(1).contents, call.input(2).contents];
  return axes.map((axis, i) => ({ axis, start: starts?.[i], end: ends?.[i] }));
}

/** Size of the part, undefined where it hangs on which of two named sizes is the greater. */
function extentBetween(size: Extent, { start, end }: Range): Extent | undefined {
  if (start === undefined || end === undefined) return undefined;
  if (isFixed(size) && isFixed(start) && isFixed(end))
    return Math.max(0, place(end, size) - place(start, size));
  const last = endWithin(size, end);
  return last && subtract(last, isFixed(start) && start < 0 ? add(size, start) : start);
}

function endWithin(size: Extent, end: Extent): Extent | undefined {
  if (equal(end, size) || (isFixed(end) && end >= TO_THE_END)) return size;
  return isFixed(end) && end < 0 ? add(size, end) : undefined;
}

/** An index within 0 and `size`. */
function place(index: number, size: number): number {
  return Math.min(Math.max(index < 0 ? index + size : index, 0), size);
}
