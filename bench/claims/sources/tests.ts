import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { repoRoot } from '../../../test/support/paths.ts';
import { exact, type Source } from '../source.ts';

/** Sums of llama.cpp depend on the vectors of the processor. */
const LLAMA_TOLERANCE = 0.05;

/** Figures that tests hold to the document themselves, or that they print. */
export const TEST_SOURCES: Readonly<Record<string, Source>> = {
  /** `test FILE`: a test that reads the figures of `test` marks and holds them. */
  test: exact(([file = ''], stated) => {
    const reads = readFileSync(path.join(repoRoot, file), 'utf8').includes(`'test'`);
    return stated.map((figure) => (reads ? Number(figure.replaceAll(',', '')) : Number.NaN));
  }),
  /** `llama RECIPE`: mean KL of llama.cpp from ours, and both perplexities. */
  llama: {
    measure: async ([recipe]) =>
      numbersOf(await diagnostic('formats/gguf/llama.test.js', recipe!, 'perplexity')),
    tolerance: LLAMA_TOLERANCE,
    slow: 3,
  },
};

const outputs = new Map<string, Promise<string>>();

/** What a test says beside its verdict: the line under the test of this name that has this word. */
async function diagnostic(file: string, test: string, word: string): Promise<string> {
  const lines = (await (outputs.get(file) ?? run(file))).split('\n');
  const start = lines.findIndex((line) => line.includes(`ok `) && line.includes(` - ${test}`));
  const found = lines.slice(start).find((line) => line.includes(word));
  if (start < 0 || found === undefined) throw new Error(`${file} says no ${word} of ${test}`);
  return found;
}

function run(file: string): Promise<string> {
  const argv = ['--test', '--test-reporter=tap', path.join(repoRoot, 'dist', 'test', file)];
  const output = promisify(execFile)(process.execPath, argv, { maxBuffer: 1e8 }).then(({ stdout }) => stdout);
  outputs.set(file, output);
  return output;
}

function numbersOf(line: string): number[] {
  return (line.match(/\d+(?:\.\d+)?(?:e[+-]?\d+)?/g) ?? []).map(Number);
}
