import type { Theme } from './theme.ts';

/**
 * One mark per value, from 0 to the largest; a blank for 0 and what is below, the highest mark for what is
 * not finite.
 */
export function strip(values: readonly number[], { levels }: Pick<Theme, 'levels'>): string {
  const largest = Math.max(0, ...values.filter(Number.isFinite));
  const mark = (value: number) => {
    if (value <= 0) return ' ';
    const level = Number.isFinite(value) ? Math.ceil((value / largest) * levels.length) : levels.length;
    return levels[level - 1]!;
  };
  return values.map(mark).join('');
}
