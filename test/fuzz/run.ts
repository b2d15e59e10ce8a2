import { parseArgs } from 'node:util';
import { runCampaign } from './campaign.ts';
import type { FuzzResult } from './job.ts';
import { TARGETS } from './targets/index.ts';

/**
 * `npm run fuzz -- [TARGET…] [--seconds S] [--cases N] [--seed S] [--case N]`: opens inputs that are almost
 * valid, for S seconds a target or N cases, and tells how many are refused, and in how many ways. `--case`
 * opens one again.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string' },
    cases: { type: 'string' },
    seed: { type: 'string', default: '1' },
    case: { type: 'string' },
    messages: { type: 'boolean' },
  },
});
const known = TARGETS.map(({ name }) => name);
const unknown = positionals.find((name) => !known.includes(name));
if (unknown !== undefined) throw new Error(`no target ${unknown}, there are ${known.join(', ')}`);

const seed = Number(values.seed);
const replayed = values.case === undefined ? undefined : Number(values.case);
const cases = replayed === undefined ? Number(values.cases ?? Infinity) : 1;
const seconds = Number(
  values.seconds ?? (values.cases === undefined && replayed === undefined ? 10 : Infinity),
);
let total = 0;
for (const target of positionals.length > 0 ? positionals : known) {
  const result = await runCampaign({ target, seed, first: replayed ?? 0, cases, seconds });
  total += result.cases;
  print(target, result);
  if (result.failures.length > 0) process.exitCode = 1;
}
write(`${total} cases in all`);
process.exit();

function print(target: string, { cases, seconds, outcomes, messages, failures }: FuzzResult): void {
  const rate = seconds === 0 ? 0 : Math.round(cases / seconds);
  const ended = [...outcomes].toSorted().map(([kind, count]) => `${kind} ${percent(count / cases)}`);
  write(`${target}: ${cases} cases, ${rate} a second: ${ended.join(', ')}; ${messages.size} messages`);
  if (values.messages) for (const message of [...messages].sort()) write(`  ${message}`);
  for (const failure of failures) {
    write(`FAILED: npm run fuzz -- ${target} --seed ${seed} --case ${failure.case}`);
    for (const change of failure.changes) write(`  ${JSON.stringify(change)}`);
    write(`  ${failure.what.replaceAll('\n', '\n  ')}`);
  }
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function write(line: string): void {
  process.stdout.write(`${line}\n`);
}
