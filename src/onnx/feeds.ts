import { invalidInput } from '../core/errors.ts';
import type { Dimension, ValueInfo } from './graph.ts';
import { elementCount, holds, type TensorValue } from './value.ts';

/**
 * Throws `invalid-input` unless there is a tensor for each input and no other, of its type, in a shape that
 * fits.
 */
export function checkFeeds(inputs: readonly ValueInfo[], feeds: Readonly<Record<string, TensorValue>>): void {
  const names = inputs.map(({ name }) => name);
  const stranger = Object.keys(feeds).find((name) => !names.includes(name));
  if (stranger !== undefined) {
    throw invalidInput({ field: stranger, what: 'not an input of the graph', expected: names.join(', ') });
  }
  const sizes = new Map<Dimension, number>();
  for (const { name, type, shape } of inputs) {
    const feed = feeds[name];
    if (feed === undefined) throw invalidInput({ field: name, what: 'input is missing' });
    if (feed.type !== type || !holds(type, feed.data)) {
      throw invalidInput({ field: name, what: 'type of input', got: feed.type, expected: type });
    }
    const fits =
      shape === undefined ||
      (shape.length === feed.shape.length &&
        shape.every((dimension, axis) => fitsDimension(dimension, feed.shape[axis]!, sizes)));
    if (!fits || feed.data.length !== elementCount(feed.shape)) {
      const expected = shape?.map((each) => sizes.get(each) ?? each).join(', ');
      throw invalidInput({
        field: name,
        what: 'shape of input',
        got: feed.shape,
        expected: `[${expected ?? ''}]`,
      });
    }
  }
}

/** A name stands for the same size wherever it is met. */
function fitsDimension(dimension: Dimension, size: number, sizes: Map<Dimension, number>): boolean {
  if (typeof dimension === 'number') return dimension === size;
  const known = sizes.get(dimension) ?? size;
  sizes.set(dimension, known);
  return known === size;
}
