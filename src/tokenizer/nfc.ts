/** Real text stacks fewer than 30 marks on a letter (UAX #15, section 13). */
const LONG_RUN_START = /\p{M}{32}/gu;
const MARK = /\p{M}/uy;

/** Class 240, the highest of all: canonical ordering puts every other mark before it. */
const LAST_MARK = '\u0345';

/**
 * Normalization form C (UAX #15). `String.prototype.normalize` of ICU takes quadratic time for marks in the
 * wrong order: a quarter of a minute for 200,000 of them. Long runs are ordered first, which leaves it
 * nothing to move.
 */
export function normalizeNfc(text: string): string {
  let ordered = '';
  let done = 0;
  for (;;) {
    LONG_RUN_START.lastIndex = done;
    const run = LONG_RUN_START.exec(text);
    if (run === null) break;
    const end = marksEnd(text, LONG_RUN_START.lastIndex);
    ordered += text.slice(done, run.index) + canonicalOrder(text.slice(run.index, end));
    done = end;
  }
  return (ordered + text.slice(done)).normalize('NFC');
}

/** One mark at a time: a pattern for the whole run overflows the stack of the matcher where it is long. */
function marksEnd(text: string, at: number): number {
  MARK.lastIndex = at;
  while (MARK.test(text)) at = MARK.lastIndex;
  return at;
}

/** Canonical ordering: a stable sort by combining class between starters. */
function canonicalOrder(run: string): string {
  const marks = [...run].flatMap((mark) => [...mark.normalize('NFD')]);
  const classes = combiningClasses(new Set(marks));
  let ordered = '';
  let movable: string[] = [];
  const flush = () => {
    ordered += movable.sort((a, b) => classes.get(a)! - classes.get(b)!).join('');
    movable = [];
  };
  for (const mark of marks) {
    if (classes.has(mark)) movable.push(mark);
    else {
      flush();
      ordered += mark;
    }
  }
  flush();
  return ordered;
}

/** Numbers that order marks as their combining classes do; starters (class 0) have none. */
function combiningClasses(marks: Iterable<string>): Map<string, number> {
  const movable = [...marks].filter((mark) => mark === LAST_MARK || swaps(LAST_MARK, mark));
  movable.sort((a, b) => Number(swaps(a, b)) - Number(swaps(b, a)));
  const classes = new Map<string, number>();
  let number = 0;
  for (const [i, mark] of movable.entries()) {
    if (i > 0 && swaps(mark, movable[i - 1]!)) number++;
    classes.set(mark, number);
  }
  return classes;
}

/** Whether canonical ordering puts `b` before `a` where it stands behind it. */
function swaps(a: string, b: string): boolean {
  return (a + b).normalize('NFD') === b + a && a !== b;
}
