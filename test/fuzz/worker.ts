import { parentPort, workerData } from 'node:worker_threads';
import { Dice } from '../support/builders/dice.ts';
import type { FuzzFailure, FuzzJob, FuzzResult } from './job.ts';
import { judge, normalized } from './judge.ts';
import { type Draft, draft } from './mutate/folder.ts';
import { TARGETS } from './targets/index.ts';

/** A thread that opens one input after another, and posts a `FuzzResult`. */

/** Kinds of failures after which a run ends: a reader that breaks often breaks in the same way. */
const MAX_FAILURES = 20;

const job = workerData as FuzzJob;
const target = TARGETS.find(({ name }) => name === job.target)!;
const subject = await target.setUp();
const outcomes = new Map<string, number>();
const messages = new Set<string>();
const failures = new Map<string, FuzzFailure>();
const start = performance.now();
const elapsed = () => (performance.now() - start) / 1000;
let cases = 0;
while (cases < job.cases && elapsed() < job.seconds && failures.size < MAX_FAILURES) {
  await runCase(job.first + cases++);
}
try {
  subject.tearDown?.();
} catch (error) {
  addFailure(job.first, error, []);
}
const result: FuzzResult = {
  cases,
  seconds: elapsed(),
  outcomes,
  messages,
  failures: [...failures.values()],
};
parentPort!.postMessage(result);

async function runCase(index: number): Promise<void> {
  Atomics.store(job.progress, 0, index);
  const { files, changes }: Draft = draft(subject, diceOf(job.seed, index));
  let kind = 'failed';
  try {
    const outcome = await judge(target, subject, files);
    kind = outcome.kind;
    if (outcome.message !== undefined) messages.add(outcome.message);
  } catch (error) {
    addFailure(index, error, changes);
  }
  outcomes.set(kind, (outcomes.get(kind) ?? 0) + 1);
}

/** Cases of one seed share nothing, so that each can be drawn again by itself. */
function diceOf(seed: number, index: number): Dice {
  return new Dice(Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b));
}

function addFailure(index: number, error: unknown, changes: readonly string[]): void {
  const { stack = String(error), cause } = error as Error;
  const what = cause === undefined ? stack : `${stack}\ncaused by ${(cause as Error).stack ?? cause}`;
  const key = normalized(stack.split('\n').slice(0, 3).join(' '));
  if (!failures.has(key)) failures.set(key, { case: index, what, changes });
}
