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
    measure: async ([recipe]) => {
      const said = await saidBy('formats/gguf/llama.test.js', `gguf:${recipe}: `);
      return (said.match(/\d+(?:\.\d+)?(?:e[+-]?\d+)?/g) ?? []).map(Number);
    },
    tolerance: LLAMA_TOLERANCE,
    slow: 3,
  },
};

const outputs = new Map<string, Promise<string>>();

/** What a test says beside its verdict, on the line with these words, behind them. */
async function saidBy(file: string, words: string): Promise<string> {
  const lines = (await (outputs.get(file) ?? run(file))).split('\n');
  const line = lines.find((text) => text.includes(words));
  if (line === undefined) throw new Error(`${file} does not say ${words}`);
  return line.slice(line.indexOf(words) + words.length);
}

function run(file: string): Promise<string> {
  const argv = ['--test', '--test-reporter=tap', path.join(repoRoot, 'dist', 'test', file)];
  const output = promisify(execFile)(process.execPath, argv, { maxBuffer: 1e8 }).then(({ stdout }) => stdout);
  outputs.set(file, output);
  return output;
}
