import { Checkout } from './checkout.ts';
import type { Mutation } from './mutation.ts';

/** What became of a mutation. */
export interface Verdict {
  readonly mutation: Mutation;
  /** Whether a test has failed that passes without the mutation. */
  readonly killed: boolean;
  /** Tests that have failed with it, and whether they fail anyway, one line each. */
  readonly failures: readonly string[];
}

/** Makes one mutation after the other in a copy of what is built, and runs the tests that should catch it. */
export async function* tryMutations(mutations: readonly Mutation[]): AsyncGenerator<Verdict> {
  const checkout = await Checkout.open();
  /** By test file, the test that fails without any mutation. */
  const broken = new Map<string, string | undefined>();
  try {
    for (const mutation of mutations) {
      const failures: string[] = [];
      let killed = false;
      for (const file of mutation.tests) {
        const failed = await checkout.with(mutation, () => checkout.test(file));
        if (failed === undefined) continue;
        if (!broken.has(file)) broken.set(file, await checkout.test(file));
        const anyway = broken.get(file);
        killed = anyway === undefined;
        failures.push(killed ? `${file}: ${failed}` : `${file}: ${anyway}, also without the mutation`);
        if (killed) break;
      }
      yield { mutation, killed, failures };
    }
  } finally {
    await checkout.close();
  }
}
