import { type PressError, unsupported, usage } from './errors.ts';

/** A regular expression as a tree. Groups leave no trace: nobody asks what they have matched. */
export type PatternNode =
  | { readonly kind: 'read'; readonly reads: (code: number) => boolean }
  | { readonly kind: 'check'; readonly holds: (text: string, at: number) => boolean }
  | { readonly kind: 'sequence' | 'choice'; readonly items: readonly PatternNode[] }
  | { readonly kind: 'repeat'; readonly item: PatternNode; readonly min: number; readonly max: number };

/** From `first` to `last`, both included. */
type CodeRange = readonly [first: number, last: number];

/** Patterns of people have tens of characters. The number also bounds how often one counts. */
const MAX_LENGTH = 4096;
/** The parser recurses, and so does what reads its tree; the stack must never decide. */
const MAX_DEPTH = 64;
const LAST_CODE = 0xffff;

const DIGITS: readonly CodeRange[] = [[0x30, 0x39]];
const WORD: readonly CodeRange[] = [...DIGITS, [0x41, 0x5a], [0x5f, 0x5f], [0x61, 0x7a]];
const LINE_ENDS: readonly CodeRange[] = [
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
];
/** White space and line ends of ECMAScript. */
const SPACES: readonly CodeRange[] = [
  ...[[0x09, 0x0d] as const, [0x20, 0x20] as const, [0xa0, 0xa0] as const, [0x1680, 0x1680] as const],
  ...[[0x2000, 0x200a] as const, [0x2028, 0x2029] as const, [0x202f, 0x202f] as const],
  ...[[0x205f, 0x205f] as const, [0x3000, 0x3000] as const, [0xfeff, 0xfeff] as const],
];
const CLASSES: Readonly<Record<string, readonly CodeRange[]>> = {
  ...{ d: DIGITS, w: WORD, s: SPACES },
  ...{ D: complement(DIGITS), W: complement(WORD), S: complement(SPACES) },
};
const CONTROLS: Readonly<Record<string, number>> = { t: 0x09, n: 0x0a, v: 0x0b, f: 0x0c, r: 0x0d };

/**
 * Parses a regular expression in the syntax of JavaScript, without flags; the case of ASCII letters does not count.
 * @throws PressError usage for what is none; unsupported for back-references and look-around.
 */
export function parsePattern(source: string): PatternNode {
  return new Parser(source).pattern();
}

class Parser {
  readonly #source: string;
  #at = 0;
  #depth = 0;

  constructor(source: string) {
    this.#source = source;
  }

  pattern(): PatternNode {
    if (this.#source.length > MAX_LENGTH) throw this.#malformed(`is longer than ${MAX_LENGTH} characters`);
    const node = this.#choice();
    if (this.#at < this.#source.length) throw this.#malformed('has a ) without (');
    return node;
  }

  #choice(): PatternNode {
    const items = [this.#sequence()];
    while (this.#skip('|')) items.push(this.#sequence());
    return items.length === 1 ? items[0]! : { kind: 'choice', items };
  }

  #sequence(): PatternNode {
    const items: PatternNode[] = [];
    while (this.#at < this.#source.length && !'|)'.includes(this.#source[this.#at]!))
      items.push(this.#term());
    return { kind: 'sequence', items };
  }

  #term(): PatternNode {
    const item = this.#atom();
    const counts = this.#quantifier();
    if (counts === undefined) return item;
    if (item.kind === 'check') throw this.#malformed('repeats what reads no character');
    // As few or as many as there are: whether there is a match does not depend on it.
    this.#skip('?');
    return { kind: 'repeat', item, ...counts };
  }

  #atom(): PatternNode {
    const character = this.#source[this.#at]!;
    if ('*+?'.includes(character) || this.#counts() !== undefined) throw this.#malformed('repeats nothing');
    this.#at++;
    switch (character) {
      case '(':
        return this.#group();
      case '[':
        return this.#set();
      case '.':
        return read(complement(LINE_ENDS));
      case '^':
        return { kind: 'check', holds: (_, at) => at === 0 };
      case '$':
        return { kind: 'check', holds: (text, at) => at === text.length };
      case '\\':
        return this.#escape();
      default:
        return read([single(character.charCodeAt(0))]);
    }
  }

  #group(): PatternNode {
    if (this.#skip('?')) this.#groupKind();
    if (++this.#depth > MAX_DEPTH) throw this.#malformed(`nests deeper than ${MAX_DEPTH} groups`);
    const node = this.#choice();
    if (!this.#skip(')')) throw this.#malformed('has a ( without )');
    this.#depth--;
    // A group around an anchor may be repeated, the anchor itself may not.
    return { kind: 'sequence', items: [node] };
  }

  #groupKind(): void {
    if (this.#match(/[=!]|<[=!]/y) !== undefined) throw this.#unsupported('look-around');
    if (this.#match(/:|<[A-Za-z_$][\w$]*>/y) === undefined)
      throw this.#malformed('has a group of an unknown kind');
  }

  #quantifier(): { min: number; max: number } | undefined {
    if (this.#skip('*')) return { min: 0, max: Number.POSITIVE_INFINITY };
    if (this.#skip('+')) return { min: 1, max: Number.POSITIVE_INFINITY };
    if (this.#skip('?')) return { min: 0, max: 1 };
    const counts = this.#counts();
    if (counts === undefined) return undefined;
    this.#at += counts[0].length;
    const min = Number(counts[1]);
    const max =
      counts[2] === undefined ? min : counts[3] === '' ? Number.POSITIVE_INFINITY : Number(counts[3]);
    if (max < min) throw this.#malformed('counts downwards');
    return { min, max };
  }

  /** `{2}`, `{2,}` or `{2,3}` at this place; another brace is a character. */
  #counts(): RegExpExecArray | undefined {
    const counts = /\{(\d+)(,(\d*))?\}/y;
    counts.lastIndex = this.#at;
    return counts.exec(this.#source) ?? undefined;
  }

  /** What follows a backslash outside of a set. */
  #escape(): PatternNode {
    if (this.#skip('b')) return { kind: 'check', holds: isBoundary };
    if (this.#skip('B')) return { kind: 'check', holds: (text, at) => !isBoundary(text, at) };
    return read(this.#escapedCodes());
  }

  #escapedCodes(): readonly CodeRange[] {
    const letter = this.#source[this.#at];
    if (letter === undefined) throw this.#malformed('ends in a backslash');
    this.#at++;
    if (Object.hasOwn(CLASSES, letter)) return CLASSES[letter]!;
    if (Object.hasOwn(CONTROLS, letter)) return [single(CONTROLS[letter]!)];
    if (letter === 'k' || /[1-9]/.test(letter)) throw this.#unsupported('a back-reference');
    if (letter === '0' && !/\d/.test(this.#source[this.#at] ?? '')) return [single(0)];
    const control = letter === 'c' ? this.#match(/[A-Za-z]/y) : undefined;
    if (control !== undefined) return [single(control.charCodeAt(0) % 32)];
    const hex = this.#match(
      letter === 'x' ? /[0-9a-fA-F]{2}/y : letter === 'u' ? /[0-9a-fA-F]{4}/y : /(?!)/y,
    );
    if (hex !== undefined) return [single(Number.parseInt(hex, 16))];
    if (/[A-Za-z0-9]/.test(letter)) throw this.#malformed(`has the unknown escape \\${letter}`);
    return [single(letter.charCodeAt(0))];
  }

  #set(): PatternNode {
    const isNegated = this.#skip('^');
    const ranges: CodeRange[] = [];
    while (!this.#skip(']')) {
      const first = this.#setMember();
      if (this.#source[this.#at] !== '-' || [']', undefined].includes(this.#source[this.#at + 1])) {
        ranges.push(...first);
        continue;
      }
      this.#at++;
      const last = this.#setMember();
      const [from, to] = [onlyCode(first), onlyCode(last)];
      // Between classes, as in [\w-.], the hyphen is a character.
      if (from === undefined || to === undefined) ranges.push(...first, single(0x2d), ...last);
      else if (from > to) throw this.#malformed('has a range out of order');
      else ranges.push([from, to]);
    }
    return read(ranges, isNegated);
  }

  #setMember(): readonly CodeRange[] {
    const character = this.#source[this.#at];
    if (character === undefined) throw this.#malformed('has a [ without ]');
    if (this.#source.startsWith('[:', this.#at)) throw this.#unsupported('a class in [: :]');
    this.#at++;
    if (character !== '\\') return [single(character.charCodeAt(0))];
    return this.#skip('b') ? [single(0x08)] : this.#escapedCodes();
  }

  /** Steps over `text` if it stands here. */
  #skip(text: string): boolean {
    const isHere = this.#source.startsWith(text, this.#at);
    if (isHere) this.#at += text.length;
    return isHere;
  }

  /** Steps over what a sticky expression finds here. */
  #match(expression: RegExp): string | undefined {
    expression.lastIndex = this.#at;
    const [found] = expression.exec(this.#source) ?? [];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #malformed(reason: string): PressError {
    return usage(`${JSON.stringify(this.#source.slice(0, 60))} is no regular expression: it ${reason}`);
  }

  #unsupported(what: string): PressError {
    return unsupported({
      field: JSON.stringify(this.#source),
      what: `patterns cannot have ${what}, whose time is not bounded`,
      expected: 'characters, sets, groups, | and repetitions',
    });
  }
}

function single(code: number): CodeRange {
  return [code, code];
}

/** The one code that `ranges` are; undefined for a class. */
function onlyCode(ranges: readonly CodeRange[]): number | undefined {
  const [only] = ranges;
  return ranges.length === 1 && only![0] === only![1] ? only![0] : undefined;
}

function complement(ranges: readonly CodeRange[]): CodeRange[] {
  const gaps: CodeRange[] = [];
  let next = 0;
  for (const [first, last] of ranges.toSorted((a, b) => a[0] - b[0])) {
    if (first > next) gaps.push([next, first - 1]);
    next = Math.max(next, last + 1);
  }
  if (next <= LAST_CODE) gaps.push([next, LAST_CODE]);
  return gaps;
}

/** Reads a character that is in `ranges` in one of its cases. */
function read(ranges: readonly CodeRange[], isNegated = false): PatternNode {
  const isIn = (code: number) => ranges.some(([first, last]) => first <= code && code <= last);
  return { kind: 'read', reads: (code) => (isIn(code) || isIn(otherCase(code))) !== isNegated };
}

/** The other case of an ASCII letter. */
function otherCase(code: number): number {
  const isLetter = (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
  return isLetter ? code ^ 0x20 : code;
}

function isBoundary(text: string, at: number): boolean {
  const isWord = (index: number) => /\w/.test(text[index] ?? '');
  return isWord(at - 1) !== isWord(at);
}
