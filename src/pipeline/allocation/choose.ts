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

/** The bytes beyond the smallest schemes are counted in this many units, rounded up to whole ones. */
const PARTS = 32_768;

/**
 * Chooses a scheme for every tensor, so that the costs add up to the least that there is while all bytes add
 * up to at most `budget`: a knapsack with one choice of each kind, filled tensor by tensor. What counting in
 * parts has left over goes to further exchanges. Undefined where even the smallest schemes do not fit. Costs
 * add up where errors are small: their squares do, and crossed terms vanish on average.
 */
export function chooseSchemes(choices: Choices, budget: number): Chosen | undefined {
  const names = [...choices.keys()].sort();
  const least = names.map((name) => Math.min(...choices.get(name)!.map(({ bytes }) => bytes)));
  const room = budget - least.reduce((sum, bytes) => sum + bytes, 0);
  if (room < 0) return undefined;
  const unit = Math.max(1, room / PARTS);
  const parts = Math.floor(room / unit);
  // costs[r]: the least of the tensors so far within r parts.
  let costs = new Float64Array(parts + 1);
  const taken = names.map((name, index) => {
    const next = new Float64Array(parts + 1).fill(Number.POSITIVE_INFINITY);
    const best = new Uint8Array(parts + 1);
    for (const [option, { bytes, cost }] of choices.get(name)!.entries()) {
      const own = Math.ceil((bytes - least[index]!) / unit);
      for (let r = own; r <= parts; r++) {
        const sum = costs[r - own]! + cost;
        if (sum >= next[r]!) continue;
        next[r] = sum;
        best[r] = option;
      }
    }
    costs = next;
    return best;
  });
  const chosen = new Map<string, Choice>();
  for (let index = names.length - 1, r = parts; index >= 0; index--) {
    const choice = choices.get(names[index]!)![taken[index]![r]!]!;
    chosen.set(names[index]!, choice);
    r -= Math.ceil((choice.bytes - least[index]!) / unit);
  }
  improve(choices, chosen, budget - totalOf(chosen, 'bytes'));
  return new Map([...choices.keys()].map((name) => [name, chosen.get(name)!]));
}

export function totalOf(chosen: Chosen, of: 'bytes' | 'cost'): number {
  let sum = 0;
  for (const choice of chosen.values()) sum += choice[of];
  return sum;
}

/** Exchanges single schemes as long as that lowers the cost within the bytes that are left. */
function improve(choices: Choices, chosen: Map<string, Choice>, room: number): void {
  let left = room;
  for (;;) {
    const best = bestExchange(choices, chosen, left);
    if (best === undefined) return;
    chosen.set(best.name, best.to);
    left -= best.bytes;
  }
}

interface Exchange {
  readonly name: string;
  readonly to: Choice;
  readonly bytes: number;
  readonly saved: number;
}

function bestExchange(choices: Choices, chosen: Chosen, left: number): Exchange | undefined {
  let best: Exchange | undefined;
  for (const [name, from] of chosen) {
    for (const to of choices.get(name)!) {
      const [bytes, saved] = [to.bytes - from.bytes, from.cost - to.cost];
      if (bytes <= left && saved > (best?.saved ?? 0)) best = { name, to, bytes, saved };
    }
  }
  return best;
}
