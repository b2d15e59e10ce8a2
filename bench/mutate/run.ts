import { MUTATIONS } from './index.ts';
import { mutated } from './mutation.ts';
import { tryMutations } from './try-mutations.ts';

/** `npm run mutate -- WORD …`: breaks the code in all listed ways, or in those whose file or words have a WORD; exit code 1 where no test minds. */
const words = process.argv.slice(2);
const chosen = MUTATIONS.filter(
  ({ file, breaks }) => words.length === 0 || words.some((word) => `${file}: ${breaks}`.includes(word)),
);
// What is outdated is found before anything runs.
for (const mutation of chosen) mutated(mutation);

let survived = 0;
for await (const { mutation, killedBy } of tryMutations(chosen)) {
  if (killedBy === undefined) survived++;
  const verdict = killedBy === undefined ? 'SURVIVED' : 'killed  ';
  const by = killedBy === undefined ? '' : ` (${killedBy})`;
  process.stdout.write(`${verdict} ${mutation.file}: ${mutation.breaks}${by}\n`);
}
process.stdout.write(`${chosen.length - survived} killed, ${survived} survived\n`);
process.exitCode = survived === 0 ? 0 : 1;
