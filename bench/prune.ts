import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { parsePassRequest, runPass } from '../src/passes/run.ts';
import { regression } from '../src/pipeline/algebra/regression.ts';
import { calibrate } from '../src/pipeline/calibration/calibrate.ts';
import { withSource } from '../src/pipeline/sources/open.ts';
import { withStatistics } from '../src/pipeline/sources/open-statistics.ts';
import { encodeTexts } from '../src/pipeline/sources/read-text.ts';
import { Tokenizer } from '../src/tokenizer/tokenizer.ts';
import { compareModels } from '../src/verify/compare.ts';
import type { Measurement } from './measure.ts';

const FIXTURES = fileURLToPath(new URL('../../fixtures', import.meta.url));
const SOURCE = path.join(FIXTURES, 'plm-tiny');

const CASES = [
  'score=wanda,compensation=least-squares',
  'score=fluctuation,compensation=least-squares',
  'score=fluctuation,compensation=bias',
  'score=wanda,compensation=none',
  'score=firing,compensation=none',
  'score=random,compensation=none',
];

/**
 * `npm run bench -- prune [--ratio R] [--tokens N]`: mean KLD of plm-tiny without a part of its neurons over
 * fixtures/text/eval.txt, against that of a random choice without compensation. Calibrated with the other
 * text.
 */
export async function* benchPrune(argv: readonly string[]): AsyncGenerator<Measurement> {
  const { values } = parseArgs({
    args: [...argv],
    options: { ratio: { type: 'string', default: '0.25' }, tokens: { type: 'string', default: '8192' } },
  });
  const folder = mkdtempSync(path.join(tmpdir(), 'plmpress-bench-'));
  try {
    const output = path.join(folder, 'statistics.gguf');
    const text = (name: string) => readFileSync(path.join(FIXTURES, 'text', `${name}.txt`), 'utf8');
    const texts = [{ name: 'calibration', text: text('calibration') }];
    await withSource(SOURCE, (model) =>
      calibrate({
        model,
        source: SOURCE,
        texts,
        output,
        contextLength: 256,
        moments: ['down_proj'],
      }),
    );
    const divergences = await withStatistics(output, (statistics) =>
      withSource(SOURCE, async (model) => {
        const ids = await encodeTexts(new Tokenizer(model.tokenizer), [text('eval')], Number(values.tokens));
        const means: number[] = [];
        for (const options of CASES) {
          const request = parsePassRequest(`prune-ffn:ratio=${values.ratio},${options}`);
          const pruned = await runPass({ ...model, statistics: statistics! }, request, {
            regress: regression(),
          });
          means.push((await compareModels(model, pruned, ids)).kld.mean);
        }
        return means;
      }),
    );
    for (const [index, ours] of divergences.entries()) {
      yield { what: CASES[index]!, ours, baseline: divergences.at(-1)!, unit: 'nats per token' };
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
