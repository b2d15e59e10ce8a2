import { SCORES } from './scores.ts';

/**
 * What makes up for removed neurons. `least-squares`: columns of down_proj that fit its output best without
 * them. `bias`: their mean, as a vector (FLAP, arXiv 2312.11983). `none`: nothing.
 */
export const COMPENSATIONS = ['least-squares', 'bias', 'none'] as const;

export const PRUNE_DEFAULTS = {
  ratio: 0,
  width: 0,
  budget: 0,
  widths: 'uniform',
  multiple: 256,
  score: 'wanda',
  compensation: 'least-squares',
  damping: 0.01,
  seed: 1,
};

export type PruneOptions = typeof PRUNE_DEFAULTS;

/** Whether neurons go that have fired. */
export function isLossy({ ratio, width, budget }: PruneOptions): boolean {
  return ratio > 0 || width > 0 || budget > 0;
}

/** What is wrong with the options, one line each. */
export function optionFaults({
  ratio,
  width,
  budget,
  multiple,
  damping,
  ...options
}: PruneOptions): string[] {
  const { widths, score, compensation, seed } = options;
  const oneOf = (what: string, value: string, known: readonly string[]) =>
    known.includes(value) ? [] : [`${what} ${JSON.stringify(value)} is none of ${known.join(', ')}`];
  const isCount = (value: number, min: number) => Number.isInteger(value) && value >= min;
  return [
    ...(ratio >= 0 && ratio < 1 ? [] : [`ratio ${ratio} is not from 0 to below 1`]),
    ...(isCount(width, 0) ? [] : [`width ${width} is not an integer of at least 0`]),
    ...(budget >= 0 ? [] : [`budget ${budget} is below 0`]),
    ...([ratio, width, budget].filter((value) => value > 0).length <= 1
      ? []
      : ['ratio, width and budget exclude each other']),
    ...(isCount(multiple, 1) ? [] : [`multiple ${multiple} is not an integer of at least 1`]),
    ...(damping > 0 ? [] : [`damping ${damping} is not above 0`]),
    ...(isCount(seed, 0) ? [] : [`seed ${seed} is not an integer of at least 0`]),
    ...oneOf('widths', widths, ['uniform', 'layer']),
    ...oneOf('score', score, SCORES),
    ...oneOf('compensation', compensation, COMPENSATIONS),
  ];
}
