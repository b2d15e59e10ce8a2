import { MUTATIONS } from './index.ts';
import { mutated } from './mutation.ts';
import { tryMutations } from './try-mutations.ts';

/**
 * `npm run mutate -- WORD …`: breaks the code in all listed ways, or in those whose file or words have a
 * WORD; exit code 1 where no test minds.
 */
const words = process.argv.slice(2);
const chosen = MUTATIONS.filter(
  ({ file, breaks }) => words.length === 0 || words.some((word) => `${file}: ${breaks}`.includes(word)),
);
// What is outdated is found before anything runs.
for (const mutation of chosen) mutated(mutation);

let survived = 0;
for await (const { mutation, killed, failures } of tryMutations(chosen)) {
  if (!killed) survived++;
  const told = failures.length === 0 ? '' : ` (${failures.join('; ')})`;
  process.stdout.write(`${killed ? 'killed  ' : 'SURVIVED'} ${mutation.file}: ${mutation.breaks}${told}\n`);
}
process.stdout.write(`${chosen.length - survived} killed, ${survived} survived\n`);
process.exitCode = survived === 0 ? 0 : 1;
