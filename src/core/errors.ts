/**
 * Failure classes and their exit codes. They are a contract with scripts and CI jobs.
 * `bug` is never thrown on purpose: it is what an error that is not a PressError counts as.
 */
export const EXIT_CODES = {
  bug: 1,
  usage: 2,
  'invalid-input': 3,
  'local-io': 4,
  network: 5,
  verification: 6,
  unsupported: 7,
  locked: 8,
} as const;

export type Failure = keyof typeof EXIT_CODES;

/** What went wrong and where. Rendered as `<file>: <field>: <what>, got <got>, expected <expected>`. */
export interface Fault {
  readonly file?: string;
  /** Empty: the file as a whole. */
  readonly field?: string;
  readonly what: string;
  readonly got?: unknown;
  readonly expected?: string;
}

/** A terminal line that wraps more than twice is not read; hostile names could make it endless. */
const MAX_MESSAGE_LENGTH = 300;
/** One value inside a message; a one-megabyte tensor name must not push the rest out of the line. */
const MAX_VALUE_LENGTH = 80;
/** A path or the name of a field. */
const MAX_PLACE_LENGTH = 120;

/** The only error thrown on purpose. Its message is one printable line of at most 300 characters. */
export class PressError extends Error {
  readonly failure: Failure;
  readonly fault: Fault;

  constructor(failure: Failure, fault: Fault, options?: ErrorOptions) {
    super(renderFault(fault), options);
    this.name = 'PressError';
    this.failure = failure;
    this.fault = fault;
  }

  get exitCode(): number {
    return EXIT_CODES[this.failure];
  }
}

export function usage(what: string, expected?: string): PressError {
  return new PressError('usage', expected === undefined ? { what } : { what, expected });
}

export function invalidInput(fault: Fault, options?: ErrorOptions): PressError {
  return new PressError('invalid-input', fault, options);
}

export function unsupported(fault: Fault): PressError {
  return new PressError('unsupported', fault);
}

/**
 * Wraps an error of `fs` on a local path: no space, permission, missing file, and so on are all local I/O.
 */
export function localIo(file: string, cause: unknown): PressError {
  const code = (cause as NodeJS.ErrnoException)?.code ?? 'unknown error';
  const what = SYSTEM_ERRORS[code] ?? String((cause as Error)?.message ?? cause);
  return new PressError('local-io', { file, what: `${what} (${code})` }, { cause });
}

const SYSTEM_ERRORS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  ENOENT: 'no such file or folder',
  ENOSPC: 'no space left on the device',
  EDQUOT: 'disk quota exceeded',
  EROFS: 'read-only file system',
  EIO: 'input/output error of the device',
  EFBIG: 'file too large for the file system or limit',
  EISDIR: 'is a folder',
  ENOTDIR: 'is not a folder',
  EEXIST: 'already exists',
  EADDRINUSE: 'the port is in use',
  EADDRNOTAVAIL: 'not an address of this machine',
  ENOTFOUND: 'no such host',
  EMFILE: 'too many open files',
  ENFILE: 'too many open files in the system',
  ENAMETOOLONG: 'name too long',
  ELOOP: 'too many symbolic links',
  EXDEV: 'crosses file systems',
};

/** Escapes everything outside printable ASCII, so that names cannot move the cursor or forge lines. */
export function printable(text: string, limit = MAX_VALUE_LENGTH): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}…` : text;
  return cut.replace(/[^\x20-\x7e…]/gu, (c) => `\\u{${c.codePointAt(0)!.toString(16)}}`);
}

/** The end of a long path, which names the file: a snapshot in the cache of the Hub is deep. */
function printableEnd(path: string): string {
  if (path.length <= MAX_PLACE_LENGTH) return printable(path, MAX_PLACE_LENGTH);
  return printable(`…${path.slice(-MAX_PLACE_LENGTH)}`, MAX_PLACE_LENGTH + 1);
}

function renderValue(value: unknown): string {
  if (typeof value === 'string') return printable(JSON.stringify(value));
  if (typeof value === 'bigint' || typeof value === 'number') return String(value);
  if (value === undefined) return 'nothing';
  return printable(JSON.stringify(value) ?? String(value));
}

function renderFault(fault: Fault): string {
  const parts = [
    ...(fault.file === undefined ? [] : [printableEnd(fault.file)]),
    ...(fault.field ? [printable(fault.field, MAX_PLACE_LENGTH)] : []),
  ];
  let what = printable(fault.what, 280);
  if ('got' in fault) what += `, got ${renderValue(fault.got)}`;
  if (fault.expected !== undefined) what += `, expected ${printable(fault.expected, 120)}`;
  const line = [...parts, what].join(': ');
  return line.length > MAX_MESSAGE_LENGTH ? `${line.slice(0, MAX_MESSAGE_LENGTH - 1)}…` : line;
}
