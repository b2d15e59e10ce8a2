import type { Call } from '../check/call.ts';
import { divide, type Extent, isFixed, product } from '../check/extent.ts';
import { isUnknown } from '../check/sizes.ts';
import type { Operator } from './operator.ts';

/** The same elements in another shape; 0 stands for the size of the same axis, -1 for what is left over. */
export const reshape: Operator = {
  inputs: [2, 2],
  outputs: [1, 1],
  attributes: { allowzero: { type: 'int', value: 0, allows: (value) => value === 0, expected: '0' } },
  float16: 'moves',
  infer(call) {
    const { type, contents } = call.input(0);
    const shape = targetShape(call);
    return [{ type, shape, contents: shape !== undefined && shape.length < 2 ? contents : undefined }];
  },
  evaluate: ({ inputs: [x] }) => [x!.data],
};

function targetShape(call: Call): readonly Extent[] | undefined {
  call.type(1, ['int64']);
  const [rank] = call.shape(1, 1);
  const target = call.input(1).contents;
  if (target === undefined) {
    return isFixed(rank!) ? Array.from({ length: rank }, () => call.sizes.unknown()) : undefined;
  }
  const { shape } = call.input(0);
  const given = target.map((extent, axis) => (extent === 0 ? copied(call, shape, axis) : extent));
  const open = given.flatMap((extent, axis) => (extent === -1 ? [axis] : []));
  if (open.length > 1 || given.some((extent) => isFixed(extent) && extent < -1)) {
    throw call.fault('shape', target.join(', '), 'sizes, one of them -1 at most');
  }
  if (shape === undefined) return given.map((extent) => (extent === -1 ? call.sizes.unknown() : extent));
  const elements = product(shape.map((extent) => call.sizes.resolve(extent)));
  if (open.length === 0) {
    call.same('number of elements', product(given), elements);
    return given;
  }
  const others = product(given.filter((extent) => extent !== -1).map((extent) => call.sizes.resolve(extent)));
  return given.map((extent) => (extent === -1 ? leftOver(call, elements, others) : extent));
}

function copied(call: Call, shape: readonly Extent[] | undefined, axis: number): Extent {
  if (shape === undefined) return call.sizes.unknown();
  const extent = shape[axis];
  if (extent === undefined) throw call.fault('shape has 0 for axis', axis, `less than ${shape.length}`);
  return extent;
}

function leftOver(call: Call, elements: Extent, others: Extent): Extent {
  if (isUnknown(others)) return call.sizes.unknown();
  const size = divide(elements, others);
  if (size === undefined) throw call.fault('number of elements', String(elements), `a multiple of ${others}`);
  return size;
}
