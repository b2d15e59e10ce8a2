/** From `start` up to `end`, which is not part of it. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * The range that a `Range` header asks for of `size` bytes (RFC 9110, section 14): `none` for what has to be
 * ignored, as other units and several ranges, `unsatisfiable` for one that begins behind the end.
 */
export function parseRange(header: string | undefined, size: number): ByteRange | 'none' | 'unsatisfiable' {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (match === null) return 'none';
  const [, first, last] = match;
  if (first === '' && last === '') return 'none';
  if (first === '')
    return last === '0' || size === 0
      ? 'unsatisfiable'
      : { start: Math.max(0, size - Number(last)), end: size };
  const [start, end] = [Number(first), last === '' ? size : Math.min(size, Number(last) + 1)];
  if (last !== '' && Number(last) < start) return 'none';
  return start < size ? { start, end } : 'unsatisfiable';
}
