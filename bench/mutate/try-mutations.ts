import { Checkout } from './checkout.ts';
import type { Mutation } from './mutation.ts';

/** What became of a mutation: the test that failed; undefined where none did. */
export interface Verdict {
  readonly mutation: Mutation;
  readonly killedBy: string | undefined;
}

/**
 * Makes one mutation after the other in a copy of what is built, and runs the tests that should catch it. Throws where a
 * test fails without the mutation too.
 */
export async function* tryMutations(mutations: readonly Mutation[]): AsyncGenerator<Verdict> {
  const checkout = await Checkout.open();
  const sound = new Set<string>();
  try {
    for (const mutation of mutations) {
      const failure = await checkout.with(mutation, () => firstFailure(checkout, mutation.tests));
      if (failure !== undefined && !sound.has(failure.file)) {
        const failed = await checkout.test(failure.file);
        if (failed !== undefined) throw new Error(`${failure.file} fails without any mutation: ${failed}`);
        sound.add(failure.file);
      }
      yield { mutation, killedBy: failure && `${failure.file}: ${failure.test}` };
    }
  } finally {
    await checkout.close();
  }
}

interface Failure {
  /** As `Mutation.tests` has it. */
  readonly file: string;
  readonly test: string;
}

async function firstFailure(checkout: Checkout, tests: readonly string[]): Promise<Failure | undefined> {
  for (const file of tests) {
    const test = await checkout.test(file);
    if (test !== undefined) return { file, test };
  }
  return undefined;
}
