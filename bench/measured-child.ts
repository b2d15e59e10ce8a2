import { Writable } from 'node:stream';
import { main } from '../src/cli/main.ts';
import { peakRss } from '../src/cli/peak-memory.ts';
import { llamaQuantize } from '../test/support/oracles/llama-quantize.ts';
import type { ProcessCost } from './process-cost.ts';

/**
 * The side of bench/process-cost.ts that does the work: `measured-child WORK ARG…`. Prints its cost as JSON.
 */
const WORKS: Readonly<Record<string, (args: readonly string[]) => Promise<void> | void>> = {
  async plmpress(args) {
    const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
    const code = await main(args, { stdout: nowhere, stderr: process.stderr, env: process.env });
    if (code !== 0) throw new Error(`plmpress ended with ${code}`);
  },
  'llama-quantize'([source, target, fileType, threads]) {
    llamaQuantize(source!, target!, Number(fileType), { threads: Number(threads) });
  },
};

const [work, ...args] = process.argv.slice(2);
const start = performance.now();
await WORKS[work!]!(args);
const { user, system } = process.cpuUsage();
const cost: ProcessCost = {
  wallSeconds: (performance.now() - start) / 1000,
  cpuSeconds: (user + system) / 1e6,
  peakBytes: peakRss(),
};
process.stdout.write(`${JSON.stringify(cost)}\n`);
