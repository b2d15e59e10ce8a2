import type { ElementType } from './graph.ts';
import { type Elements, elementCount, newElements, stridesOf } from './value.ts';

/** A stretch of the output, and where each operand's part of it begins and how far apart its elements are. */
export type Visit = (at: number, count: number, starts: readonly number[], steps: readonly number[]) => void;

interface Axis {
  readonly size: number;
  /** Of each operand. */
  readonly steps: readonly number[];
}

/**
 * Visits the elements of an output of `shape`, row-major, in runs as long as every operand's elements are
 * evenly apart. `strides` has, for each operand, how far apart its neighbours along each axis of the output
 * are.
 */
export function walk(shape: readonly number[], strides: readonly (readonly number[])[], visit: Visit): void {
  if (elementCount(shape) === 0) return;
  const axes = mergeAxes(shape.map((size, axis) => ({ size, steps: strides.map((each) => each[axis]!) })));
  const run = axes.pop() ?? { size: 1, steps: strides.map(() => 0) };
  const places = axes.map(() => 0);
  const starts = strides.map(() => 0);
  for (let at = 0; ; at += run.size) {
    visit(at, run.size, starts, run.steps);
    let axis = axes.length - 1;
    for (; axis >= 0; axis--) {
      const { size, steps } = axes[axis]!;
      const end = ++places[axis]! === size;
      for (let i = 0; i < starts.length; i++) starts[i]! += end ? -steps[i]! * (size - 1) : steps[i]!;
      if (!end) break;
      places[axis] = 0;
    }
    if (axis < 0) return;
  }
}

/** Drops axes of one element and joins neighbours that are one longer axis to every operand. */
function mergeAxes(axes: readonly Axis[]): Axis[] {
  const merged: Axis[] = [];
  for (const axis of axes.filter(({ size }) => size > 1)) {
    const outer = merged.at(-1);
    if (outer?.steps.every((step, i) => step === axis.steps[i]! * axis.size)) {
      merged[merged.length - 1] = { size: outer.size * axis.size, steps: axis.steps };
    } else merged.push(axis);
  }
  return merged;
}

/** Strides of an operand that broadcasts to `shape`: 0 along the axes that repeat it. */
export function broadcastStrides(operand: readonly number[], shape: readonly number[]): number[] {
  const strides = stridesOf(operand);
  const missing = shape.length - operand.length;
  return shape.map((_, axis) => {
    const own = axis - missing;
    return own < 0 || operand[own] === 1 ? 0 : strides[own]!;
  });
}

/** The elements of `source` from `offset` on that are `strides` apart along the axes of `shape`. */
export function gatherStrided(
  type: ElementType,
  source: Elements,
  offset: number,
  shape: readonly number[],
  strides: readonly number[],
): Elements {
  const target = newElements(type, elementCount(shape));
  walk(shape, [strides], (at, count, [start], [step]) => {
    const first = offset + start!;
    if (step === 1) target.set(source.subarray(first, first + count) as never, at);
    else for (let i = 0; i < count; i++) target[at + i] = source[first + i * step!]!;
  });
  return target;
}
