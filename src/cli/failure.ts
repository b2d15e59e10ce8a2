import { CommanderError } from 'commander';
import { PressError, printable, usage } from '../core/errors.ts';
import { Interrupted } from './interruption.ts';

/** An error as people and scripts see it. */
export interface Failure {
  /** `interrupted`, or a class of src/core/errors.ts. */
  readonly class: string;
  readonly exitCode: number;
  /** One printable line of at most 300 characters. */
  readonly message: string;
}

export function describeFailure(error: unknown): Failure {
  if (error instanceof Interrupted) {
    return { class: 'interrupted', exitCode: error.exitCode, message: error.message };
  }
  const known = error instanceof CommanderError ? usageError(error) : error;
  if (known instanceof PressError) {
    return { class: known.failure, exitCode: known.exitCode, message: redact(known.message) };
  }
  // The words of V8. They have no code.
  if (known instanceof RangeError && known.message === 'Array buffer allocation failed') {
    return describeFailure(
      new PressError('local-io', { what: 'out of memory: the system refused an allocation' }),
    );
  }
  const text = known instanceof Error ? `${known.name}: ${known.message}` : String(known);
  const message = `bug: ${printable(redact(text), 200)} (please report it with the output of --debug)`;
  return { class: 'bug', exitCode: 1, message };
}

/** The stack with those of its causes, for `--debug`. */
export function describeStack(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\ncaused by ${describeStack(error.cause)}`;
  return redact(`${error.stack ?? error.message}${cause}`);
}

/** Commander's `error: unknown option '--jsn'\n(Did you mean --json?)` in our words. */
function usageError(error: CommanderError): PressError {
  if (error.code === 'commander.help') return usage('no command given');
  return usage(error.message.replace(/^error: /, '').replace(/\s+/g, ' '));
}

/**
 * Tokens of the Hub and signatures of presigned addresses are credentials: they never reach a screen or a
 * log.
 */
function redact(text: string): string {
  return text
    .replace(/\bhf_[A-Za-z0-9]+/g, 'hf_…')
    .replace(/\bBearer\s+\S+/gi, 'Bearer …')
    .replace(/\b(X-Amz-[A-Za-z-]+|Signature|Policy)=[^\s&"']+/g, '$1=…');
}
