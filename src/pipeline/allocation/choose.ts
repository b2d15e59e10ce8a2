import type { SchemeName } from '../../core/scheme.ts';

/** A scheme that a tensor may have. */
export interface Choice {
  readonly scheme: SchemeName;
  readonly bytes: number;
  /** Of the end: mean KLD in nats that rounding this tensor is predicted to cost. */
  readonly cost: number;
}

/** By tensor, each with one choice at least. */
export type Choices = ReadonlyMap<string, readonly Choice[]>;

export type Chosen = ReadonlyMap<string, Choice>;

/**
 * Chooses a scheme for every tensor, so that the costs add up to little and all bytes to at most `budget`: from the smallest
 * schemes on, the step that saves most cost a byte, along the lower convex hull of each tensor's choices (the best there is for the
 * bytes that it takes); then what room is left goes to single and paired exchanges. Undefined where even the smallest do not fit.
 * Costs add up where errors are small: their squares do, and crossed terms vanish on average.
 */
export function chooseSchemes(choices: Choices, budget: number): Chosen | undefined {
  const chosen = new Map([...choices].map(([name, options]) => [name, smallest(options)]));
  let left = budget - totalOf(chosen, 'bytes');
  if (left < 0) return undefined;
  const steps = [...choices]
    .flatMap(([name, options]) => hullSteps(options).map((step) => ({ name, ...step })))
    // Steps of one tensor grow less steep, so that they keep their order; names make ties the same everywhere.
    .sort((a, b) => b.slope - a.slope || (a.name < b.name ? -1 : a.name > b.name ? 1 : a.bytes - b.bytes));
  const closed = new Set<string>();
  for (const { name, to, bytes } of steps) {
    if (closed.has(name)) continue;
    if (bytes > left) {
      closed.add(name);
      continue;
    }
    chosen.set(name, to);
    left -= bytes;
  }
  improve(choices, chosen, left);
  return chosen;
}

export function totalOf(chosen: Chosen, of: 'bytes' | 'cost'): number {
  let sum = 0;
  for (const choice of chosen.values()) sum += choice[of];
  return sum;
}

function smallest(options: readonly Choice[]): Choice {
  return options.reduce((a, b) => (b.bytes < a.bytes || (b.bytes === a.bytes && b.cost < a.cost) ? b : a));
}

/** Along the hull: where each step leads, its bytes, and the cost that it saves a byte. */
function hullSteps(options: readonly Choice[]): { to: Choice; bytes: number; slope: number }[] {
  const steps: { to: Choice; bytes: number; slope: number }[] = [];
  for (let at = smallest(options); ; ) {
    const next = options
      .filter(({ bytes, cost }) => bytes > at.bytes && cost < at.cost)
      .map((to) => ({ to, bytes: to.bytes - at.bytes, slope: (at.cost - to.cost) / (to.bytes - at.bytes) }));
    if (next.length === 0) return steps;
    const best = next.reduce((a, b) => (b.slope > a.slope ? b : a));
    steps.push(best);
    at = best.to;
  }
}

/** Exchanges schemes of one or two tensors as long as that saves cost in the room that is left. */
function improve(choices: Choices, chosen: Map<string, Choice>, room: number): void {
  let left = room;
  for (;;) {
    const best = bestExchange(choices, chosen, left);
    if (best === undefined) return;
    for (const [name, to] of best.to) chosen.set(name, to);
    left -= best.bytes;
  }
}

interface Exchange {
  readonly to: readonly (readonly [string, Choice])[];
  readonly bytes: number;
  readonly saved: number;
}

function bestExchange(choices: Choices, chosen: Chosen, left: number): Exchange | undefined {
  const single = [...choices].flatMap(([name, options]) => {
    const from = chosen.get(name)!;
    return options
      .filter((to) => to !== from)
      .map(
        (to): Exchange => ({ to: [[name, to]], bytes: to.bytes - from.bytes, saved: from.cost - to.cost }),
      );
  });
  let best: Exchange | undefined;
  const consider = (exchange: Exchange) => {
    // What is lost to rounding is no gain.
    if (exchange.bytes > left || exchange.saved <= 1e-12) return;
    if (best === undefined || exchange.saved > best.saved) best = exchange;
  };
  single.forEach(consider);
  if (best !== undefined) return best;
  const gains = single.filter(({ saved, bytes }) => saved > 0 && bytes > left);
  const sales = single.filter(({ saved, bytes }) => saved < 0 && bytes < 0);
  for (const gain of gains) {
    for (const sale of sales) {
      if (sale.to[0]![0] === gain.to[0]![0]) continue;
      consider({
        to: [...gain.to, ...sale.to],
        bytes: gain.bytes + sale.bytes,
        saved: gain.saved + sale.saved,
      });
    }
  }
  return best;
}
