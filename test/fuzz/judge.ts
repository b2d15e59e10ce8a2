import { PressError } from '../../src/core/errors.ts';
import type { Files, Subject, Target } from './target.ts';

/** How opening has ended, where it has ended as it may. */
export interface Outcome {
  /** `accepted`, or a class of failures. */
  readonly kind: string;
  /** The message without what differs from case to case. */
  readonly message?: string;
}

/**
 * Most bytes that the process may grow by while it opens one input: these are small, and a reject has 300 MB.
 */
const MAX_GROWTH = 256 << 20;

/**
 * Opens an input. Throws where it ends in another way than with a result or with one line about a file, and
 * where memory grows.
 */
export async function judge(
  { failures = [] }: Pick<Target, 'failures'>,
  subject: Subject,
  files: Files,
): Promise<Outcome> {
  const before = peakBytes();
  let outcome: Outcome = { kind: 'accepted' };
  try {
    await subject.open(files);
  } catch (error) {
    if (!(error instanceof PressError)) throw error;
    if (!['invalid-input', 'unsupported', ...failures].includes(error.failure)) {
      throw new Error(`fails as ${error.failure}`, { cause: error });
    }
    if (!/^[\x20-\x7e…]{1,300}$/u.test(error.message)) {
      throw new Error('the message is not one printable line', { cause: error });
    }
    if (!error.fault.file) throw new Error('the message names no file', { cause: error });
    outcome = { kind: error.failure, message: normalized(error.message) };
  }
  const growth = peakBytes() - before;
  if (growth > MAX_GROWTH) throw new Error(`takes ${Math.round(growth / 2 ** 20)} MiB`);
  return outcome;
}

function peakBytes(): number {
  return 1024 * process.resourceUsage().maxRSS;
}

/** So that messages of one kind are equal. */
export function normalized(message: string): string {
  return message
    .replace(/, got .*/, '')
    .replace(/"(\\.|[^"\\])*("|…)/g, '""')
    .replace(/\[[^\]]*\]/g, '[]')
    .replace(/\d+/g, '0');
}
