/** Where the values of an axis lie on the page. */
export interface Scale {
  /** Values to label. */
  readonly ticks: readonly number[];
  at(value: number): number;
}

export type Range = readonly [low: number, high: number];

/** Equal steps for equal differences. A domain without extent gets one. */
export function linearScale([low, high]: Range, [from, to]: Range, steps = 4): Scale {
  const extent = high > low ? high - low : Math.abs(low) || 1;
  const step = roundStep(extent / steps);
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor((low + extent) / step + 1e-9) - first + 1;
  return {
    ticks: Array.from({ length: count }, (_, index) => (first + index) * step),
    at: (value) => from + ((value - low) / extent) * (to - from),
  };
}

/** Equal steps for equal ratios. Values outside the domain, which lies above zero, go to its ends. */
export function logScale([low, high]: Range, [from, to]: Range): Scale {
  const [first, last] = [Math.log10(low), Math.log10(high > low ? high : 10 * low)];
  const decades = Math.ceil(last) - Math.floor(first);
  const steps = decades > 2 ? [1] : [1, 2, 5];
  const ticks = Array.from({ length: decades + 1 }, (_, decade) =>
    steps.map((step) => Number(`${step}e${Math.floor(first) + decade}`)),
  ).flat();
  const at = (value: number) => {
    const place = (Math.log10(Math.max(value, low)) - first) / (last - first);
    return from + Math.min(1, place) * (to - from);
  };
  return {
    ticks: ticks.filter((tick) => Math.log10(tick) >= first - 1e-9 && Math.log10(tick) <= last + 1e-9),
    at,
  };
}

/** 1, 2 or 5 times a power of ten, at least `step`. */
function roundStep(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step));
  const factor = [1, 2, 5, 10].find((candidate) => candidate * power >= step * (1 - 1e-9))!;
  return factor * power;
}
