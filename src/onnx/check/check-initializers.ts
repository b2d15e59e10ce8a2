import { invalidInput, type PressError } from '../../core/errors.ts';
import { ELEMENT_TYPES, type ExternalData, type Initializer, isExternal } from '../graph.ts';
import { initializerBytes } from './value-type.ts';

/**
 * Constants have as many bytes as their shape says, and those in files lie in files of the folder, each in
 * its own place.
 */
export function checkInitializers(initializers: readonly Initializer[]): void {
  for (const initializer of initializers) checkInitializer(initializer);
  checkOverlaps(initializers);
}

function checkInitializer(initializer: Initializer): void {
  const { name, type, shape, data } = initializer;
  const fault = (what: string, got: unknown, expected: string): PressError =>
    invalidInput({ field: name, what, got, expected });
  if (!Object.hasOwn(ELEMENT_TYPES, type)) {
    throw fault('element type', type, Object.keys(ELEMENT_TYPES).join(', '));
  }
  if (!shape.every(isCount)) throw fault('shape', shape, 'sizes');
  const bytes = initializerBytes(initializer);
  if (!isCount(bytes) || data.length !== bytes) throw fault('length', data.length, `${bytes} bytes`);
  if (!isExternal(data)) return;
  if (!isBareName(data.location)) throw fault('location', data.location, 'the bare name of a file');
  if (!isCount(data.offset) || !isCount(data.offset + bytes))
    throw fault('offset', data.offset, 'a place in a file');
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** A location must not lead out of the folder, on any system. */
function isBareName(location: string): boolean {
  return location !== '' && location !== '.' && location !== '..' && !/[/\\:\0]/.test(location);
}

function checkOverlaps(initializers: readonly Initializer[]): void {
  const external = initializers
    .flatMap(({ name, data }) => (isExternal(data) && data.length > 0 ? [{ name, data }] : []))
    .toSorted((a, b) =>
      a.data.location < b.data.location
        ? -1
        : a.data.location > b.data.location
          ? 1
          : a.data.offset - b.data.offset || a.data.length - b.data.length,
    );
  for (const [i, { name, data }] of external.entries()) {
    const before = external[i - 1];
    if (before !== undefined && overlap(before.data, data)) {
      throw invalidInput({
        field: name,
        what: `overlaps the bytes of ${before.name}`,
        got: data.offset,
      });
    }
  }
}

/** Whether two ranges, sorted by offset, share bytes without being the same. */
function overlap(a: ExternalData, b: ExternalData): boolean {
  if (a.location !== b.location || b.offset >= a.offset + a.length) return false;
  return a.offset !== b.offset || a.length !== b.length;
}
