import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { repoRoot } from '../test/support/paths.ts';
import type { Measurement } from './measure.ts';
import { writePlmCheckpoint } from './plm-checkpoint.ts';
import { costOf } from './process-cost.ts';

const PROSE = path.join(repoRoot, 'calibration', 'text', 'prose.txt');

/**
 * `npm run bench -- best [--layers N] [--tokens N] [--threads N]`: time and peak memory of
 * `convert --to gguf:q4_k_m --quality best` over a random checkpoint of PLM-1.8B, beside `calibrate` without
 * second moments over the same tokens, right after it. Whole it takes more than an hour.
 */
export async function* benchBest(argv: readonly string[]): AsyncGenerator<Measurement> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      layers: { type: 'string', default: '32' },
      tokens: { type: 'string', default: '16384' },
      threads: { type: 'string', default: String(availableParallelism()) },
    },
  });
  const { layers, tokens, threads } = values;
  const folder = mkdtempSync(path.join(tmpdir(), 'plmpress-best-'));
  try {
    const [source, output] = [path.join(folder, 'plm'), path.join(folder, 'out')];
    await writePlmCheckpoint(source, { layers: Number(layers) });
    const shared = ['--text', PROSE, '--threads', threads, '--quiet'];
    const best = ['--to', 'gguf:q4_k_m', '--quality', 'best', '--calibration-tokens', tokens, '-o', output];
    const ours = await costOf('plmpress', ['convert', source, ...best, ...shared]);
    const statistics = ['--tokens', tokens, '-o', path.join(folder, 'statistics.gguf')];
    const baseline = await costOf('plmpress', ['calibrate', source, ...statistics, ...shared]);
    const what = `${layers} layers, ${tokens} tokens, ${threads} threads`;
    yield { what: `wall, ${what}`, ours: ours.wallSeconds, baseline: baseline.wallSeconds, unit: 's' };
    yield {
      what: `peak memory, ${what}`,
      ours: ours.peakBytes / 1e6,
      baseline: baseline.peakBytes / 1e6,
      unit: 'MB',
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
