import { usage } from './errors.ts';
import { type PatternNode, parsePattern } from './pattern-syntax.ts';

/** Counted repetitions are written out: `(a{1000}){1000}` must not fill the memory. */
const MAX_STATES = 10_000;
/** Of all patterns of a list. The deepest model has 5,120 matrices, which a list of exact names gives 150,000 states. */
const MAX_LIST_STATES = 250_000;

/** A state of the automaton: reads a character, checks a position, goes on in two ways, or accepts. */
type State =
  | { readonly kind: 'read'; readonly reads: (code: number) => boolean; next: number }
  | { readonly kind: 'check'; readonly holds: (text: string, at: number) => boolean; next: number }
  | { readonly kind: 'fork'; next: number; other: number }
  | { readonly kind: 'accept' };

/**
 * A regular expression that is searched for in names, in any case. It is run as an automaton that is in all of its states at once
 * (Thompson, "Regular expression search algorithm", 1968), so that the time is at most that of states times characters, whatever the
 * pattern: patterns come from files too. The syntax is that of JavaScript, for ASCII names, without what such an automaton cannot do.
 */
export class NamePattern {
  readonly #states: State[] = [];
  readonly #start: number;
  /** Whether a match can begin at the start of a name only. */
  readonly #isAnchored: boolean;
  readonly #sets: readonly [StateSet, StateSet];
  readonly #waiting: number[] = [];

  /**
   * @throws PressError usage for what is no regular expression or has more than 10,000 states; unsupported for back-references and
   * look-around.
   */
  constructor(source: string) {
    const tree = parsePattern(source);
    const accept = this.#add({ kind: 'accept' }, source);
    this.#start = this.#build(tree, accept, source);
    this.#isAnchored = source.startsWith('^') && tree.kind === 'sequence';
    this.#sets = [new StateSet(this.size), new StateSet(this.size)];
  }

  /** States of the automaton, to which the time of `test` is proportional. */
  get size(): number {
    return this.#states.length;
  }

  /** Whether the pattern matches anywhere in `name`. */
  test(name: string): boolean {
    let [current, next] = this.#sets;
    current.clear();
    if (this.#enter(this.#start, name, 0, current)) return true;
    for (let at = 0; at < name.length; at++) {
      // Lists of exact names are long; most of them differ early.
      if (this.#isAnchored && current.isEmpty) return false;
      const code = name.charCodeAt(at);
      next.clear();
      for (let index = 0; index < current.count; index++) {
        const state = this.#states[current.at(index)]!;
        const isRead = state.kind === 'read' && state.reads(code);
        if (isRead && this.#enter(state.next, name, at + 1, next)) return true;
      }
      if (!this.#isAnchored && this.#enter(this.#start, name, at + 1, next)) return true;
      [current, next] = [next, current];
    }
    return false;
  }

  /** Adds a state, and those that it leads to without reading, to `into`. Returns whether one accepts. */
  #enter(first: number, text: string, at: number, into: StateSet): boolean {
    const waiting = this.#waiting;
    waiting.length = 0;
    for (let index: number | undefined = first; index !== undefined; index = waiting.pop()) {
      if (!into.add(index)) continue;
      const state = this.#states[index]!;
      if (state.kind === 'accept') return true;
      if (state.kind === 'fork') waiting.push(state.next, state.other);
      if (state.kind === 'check' && state.holds(text, at)) waiting.push(state.next);
    }
    return false;
  }

  #add(state: State, source: string): number {
    if (this.#states.length === MAX_STATES) {
      throw usage(`${JSON.stringify(source)} repeats too much`, `a pattern of at most ${MAX_STATES} states`);
    }
    return this.#states.push(state) - 1;
  }

  /** Builds the states of `node` back to front, going on in `next`. Returns the first. */
  #build(node: PatternNode, next: number, source: string): number {
    switch (node.kind) {
      case 'read':
        return this.#add({ kind: 'read', reads: node.reads, next }, source);
      case 'check':
        return this.#add({ kind: 'check', holds: node.holds, next }, source);
      case 'sequence':
        return node.items.reduceRight((after, item) => this.#build(item, after, source), next);
      case 'choice':
        return node.items
          .map((item) => this.#build(item, next, source))
          .reduceRight((other, first) => this.#add({ kind: 'fork', next: first, other }, source));
      case 'repeat':
        return this.#repeat(node, next, source);
    }
  }

  #repeat({ item, min, max }: PatternNode & { kind: 'repeat' }, next: number, source: string): number {
    let first = next;
    if (max === Number.POSITIVE_INFINITY) {
      const fork: State & { kind: 'fork' } = { kind: 'fork', next, other: next };
      first = this.#add(fork, source);
      fork.next = this.#build(item, first, source);
    } else {
      for (let count = min; count < max; count++) {
        first = this.#add({ kind: 'fork', next: this.#build(item, first, source), other: next }, source);
      }
    }
    for (let count = 0; count < min; count++) {
      const before = first;
      first = this.#build(item, first, source);
      // What reads nothing stays nothing, however often it stands there.
      if (first === before) break;
    }
    return first;
  }
}

/** States that an automaton is in: each once. */
class StateSet {
  readonly #list: Uint32Array;
  readonly #isIn: Uint8Array;
  #count = 0;

  constructor(size: number) {
    this.#list = new Uint32Array(size);
    this.#isIn = new Uint8Array(size);
  }

  get count(): number {
    return this.#count;
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  at(index: number): number {
    return this.#list[index]!;
  }

  /** False where it is there already. */
  add(state: number): boolean {
    if (this.#isIn[state] === 1) return false;
    this.#isIn[state] = 1;
    this.#list[this.#count++] = state;
    return true;
  }

  clear(): void {
    for (let index = 0; index < this.#count; index++) this.#isIn[this.#list[index]!] = 0;
    this.#count = 0;
  }
}

/** What names mean by the first pattern that matches. */
export class PatternList<T> {
  readonly #entries: (readonly [pattern: NamePattern, value: T])[] = [];

  /** @throws PressError as `NamePattern` does, and usage for patterns of more than 250,000 states together. */
  constructor(entries: Iterable<readonly [pattern: string, value: T]>) {
    let states = 0;
    for (const [source, value] of entries) {
      const pattern = new NamePattern(source);
      states += pattern.size;
      if (states > MAX_LIST_STATES)
        throw usage('too many patterns', `at most ${MAX_LIST_STATES} states in all`);
      this.#entries.push([pattern, value]);
    }
  }

  /** The value of the first pattern that matches one of the names; undefined where none does. */
  find(...names: readonly string[]): T | undefined {
    return this.#entries.find(([pattern]) => names.some((name) => pattern.test(name)))?.[1];
  }
}
