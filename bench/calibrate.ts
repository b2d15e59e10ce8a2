import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { SAMPLE_TEXT } from '../calibration/sample-text.ts';
import type { Measurement } from './measure.ts';
import { writePlmCheckpoint } from './plm-checkpoint.ts';
import { costOf } from './process-cost.ts';

/**
 * `npm run bench -- calibrate [--layers N] [--tokens N] [--threads N]`: peak memory of `plmpress calibrate`
 * against the size of a random checkpoint of PLM-1.8B's widths with its whole vocabulary, and time a token
 * against that without second moments.
 */
export async function* benchCalibrate(argv: readonly string[]): AsyncGenerator<Measurement> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      layers: { type: 'string', default: '4' },
      tokens: { type: 'string', default: '512' },
      threads: { type: 'string', default: String(availableParallelism()) },
    },
  });
  const { layers, tokens, threads } = values;
  const folder = mkdtempSync(path.join(tmpdir(), 'plmpress-bench-'));
  try {
    const [source, text] = [path.join(folder, 'plm'), path.join(folder, 'text.txt')];
    await writePlmCheckpoint(source, { layers: Number(layers) });
    writeFileSync(text, SAMPLE_TEXT);
    const run = (name: string, ...more: string[]) =>
      costOf('plmpress', [
        ...['calibrate', source, '--text', text, '-o', path.join(folder, name), '--tokens', tokens],
        ...['--threads', threads, '--quiet', ...more],
      ]);
    const sums = await run('sums');
    const moments = await run('moments', '--second-moments', 'down_proj');
    const megabytes = statSync(path.join(source, 'model.safetensors')).size / 1e6;
    const what = `${layers} layers, ${tokens} tokens, ${threads} threads`;
    yield { what: `${what}: peak memory`, ours: sums.peakBytes / 1e6, baseline: megabytes, unit: 'MB' };
    const peak = moments.peakBytes / 1e6;
    yield {
      what: `${what}, second moments: peak memory`,
      ours: peak,
      baseline: megabytes,
      unit: 'MB',
    };
    const perToken = 1000 / Number(tokens);
    yield {
      what: `${what}, second moments: wall`,
      ours: moments.wallSeconds * perToken,
      baseline: sums.wallSeconds * perToken,
      unit: 'ms a token',
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
