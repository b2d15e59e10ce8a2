/**
 * Sizes and indices in a graph that may hang on sizes known only when it runs: integers, or polynomials of
 * named sizes with integer coefficients, so that a concatenation of `past` and `new` positions has past + new
 * of them.
 */
export type Extent = number | Polynomial;

/**
 * Coefficients by the names that are multiplied, sorted, with '' for the constant term. No coefficient is 0.
 */
export class Polynomial {
  readonly terms: ReadonlyMap<string, number>;

  constructor(terms: ReadonlyMap<string, number>) {
    this.terms = terms;
  }

  toString(): string {
    const terms = [...this.terms].map(([key, factor]) => {
      const names = namesOf(key).join(' * ');
      if (names === '') return String(factor);
      return factor === 1 ? names : `${factor} * ${names}`;
    });
    return terms.join(' + ');
  }
}

/** No name of a dimension contains it. */
const TIMES = '\0';

function namesOf(key: string): string[] {
  return key === '' ? [] : key.split(TIMES);
}

/** A named size, or a sum of them written `a + b`, as exporters name the positions that a cache will have. */
export function named(name: string): Extent {
  return name.split(' + ').reduce<Extent>((sum, part) => add(sum, term(part)), 0);
}

function term(name: string): Extent {
  return /^\d+$/.test(name) ? Number(name) : new Polynomial(new Map([[name, 1]]));
}

export function add(a: Extent, b: Extent): Extent {
  if (typeof a === 'number' && typeof b === 'number') return a + b;
  const terms = new Map(termsOf(a));
  for (const [key, factor] of termsOf(b)) terms.set(key, (terms.get(key) ?? 0) + factor);
  return simplest(terms);
}

export function subtract(a: Extent, b: Extent): Extent {
  return add(a, multiply(b, -1));
}

export function multiply(a: Extent, b: Extent): Extent {
  if (typeof a === 'number' && typeof b === 'number') return a * b;
  const terms = new Map<string, number>();
  for (const [left, x] of termsOf(a)) {
    for (const [right, y] of termsOf(b)) {
      const key = [...namesOf(left), ...namesOf(right)].sort().join(TIMES);
      terms.set(key, (terms.get(key) ?? 0) + x * y);
    }
  }
  return simplest(terms);
}

export function product(extents: readonly Extent[]): Extent {
  return extents.reduce(multiply, 1);
}

/** The quotient, undefined where the division leaves a rest for some sizes. */
export function divide(a: Extent, b: Extent): Extent | undefined {
  const divisor = leadingTerm(b);
  if (divisor === undefined) return undefined;
  let [rest, quotient]: [Extent, Extent] = [a, 0];
  for (let leading = leadingTerm(rest); leading !== undefined; leading = leadingTerm(rest)) {
    const part = divideTerm(leading, divisor);
    if (part === undefined) return undefined;
    quotient = add(quotient, part);
    rest = subtract(rest, multiply(part, b));
  }
  return quotient;
}

type Term = readonly [key: string, factor: number];

/** The term of highest degree, the first by its names among several: an order that multiplication keeps. */
function leadingTerm(extent: Extent): Term | undefined {
  return [...termsOf(extent)].toSorted(
    ([a], [b]) => namesOf(b).length - namesOf(a).length || compareNames(namesOf(a), namesOf(b)),
  )[0];
}

function compareNames(a: readonly string[], b: readonly string[]): number {
  const at = a.findIndex((name, index) => name !== b[index]);
  if (at < 0) return 0;
  return a[at]! < b[at]! ? -1 : 1;
}

function divideTerm([key, factor]: Term, [divisorKey, divisor]: Term): Extent | undefined {
  const names = namesOf(key);
  for (const name of namesOf(divisorKey)) {
    const at = names.indexOf(name);
    if (at < 0) return undefined;
    names.splice(at, 1);
  }
  return factor % divisor === 0 ? simplest(new Map([[names.join(TIMES), factor / divisor]])) : undefined;
}

export function equal(a: Extent, b: Extent): boolean {
  if (typeof a === 'number' || typeof b === 'number') return a === b;
  if (a.terms.size !== b.terms.size) return false;
  return [...a.terms].every(([key, factor]) => b.terms.get(key) === factor);
}

/** The name, if the extent is nothing but a named size. */
export function nameOf(extent: Extent): string | undefined {
  if (typeof extent === 'number' || extent.terms.size !== 1) return undefined;
  const [[key, factor]] = [...extent.terms] as [[string, number]];
  return factor === 1 && key !== '' && !key.includes(TIMES) ? key : undefined;
}

/** All names that the extent hangs on. */
export function namesIn(extent: Extent): string[] {
  return [...termsOf(extent).keys()].flatMap(namesOf);
}

/** The extent with `value` in place of every `name`. */
export function substitute(extent: Extent, name: string, value: Extent): Extent {
  if (!namesIn(extent).includes(name)) return extent;
  return [...termsOf(extent)].reduce<Extent>((sum, [key, factor]) => {
    const factors = namesOf(key).map((each) => (each === name ? value : term(each)));
    return add(sum, multiply(factor, product(factors)));
  }, 0);
}

function termsOf(extent: Extent): ReadonlyMap<string, number> {
  return typeof extent === 'number' ? new Map(extent === 0 ? [] : [['', extent]]) : extent.terms;
}

function simplest(terms: Map<string, number>): Extent {
  const kept = new Map([...terms].filter(([, factor]) => factor !== 0));
  if (kept.size === 0) return 0;
  return kept.size === 1 && kept.has('') ? kept.get('')! : new Polynomial(kept);
}

export function isFixed(extent: Extent): extent is number {
  return typeof extent === 'number';
}
