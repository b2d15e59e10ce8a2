import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { MOMENT_ROLES } from '../calibration/moments.ts';
import { roundedModel } from '../src/pipeline/allocation/round.ts';
import { calibrate } from '../src/pipeline/calibrate.ts';
import { withSource } from '../src/pipeline/open.ts';
import { withStatistics } from '../src/pipeline/open-statistics.ts';
import { readImatrix } from '../src/pipeline/read-imatrix.ts';
import { encodeTexts } from '../src/pipeline/read-text.ts';
import { sweep } from '../src/pipeline/sweep.ts';
import { planTarget } from '../src/pipeline/target.ts';
import { Tokenizer } from '../src/tokenizer/tokenizer.ts';
import { compareModels } from '../src/verify/compare.ts';
import { fixture } from '../test/support/paths.ts';
import type { Measurement } from './measure.ts';

const SOURCE = fixture('plm-tiny');
const TARGET = 'gguf:q4_k_m';
const SHARES = [0.45, 0.57, 0.69, 0.81, 0.93, 1.05];
const FFN_WIDTHS = [768, 512];
const TOKENS = 8192;

/**
 * `npm run bench -- sweep`: mean KLD of plm-tiny at shares of the bytes of q4_k_m, rounded with error feedback into schemes by
 * size, against q4_k_m with importances. Statistics and schemes go by one text, figures by another.
 */
export async function* benchSweep(): AsyncGenerator<Measurement> {
  const folder = mkdtempSync(path.join(tmpdir(), 'plmpress-bench-'));
  const [calibration, evaluation] = ['calibration', 'eval'].map((name) =>
    readFileSync(fixture('text', `${name}.txt`), 'utf8'),
  ) as [string, string];
  const output = path.join(folder, 'statistics.gguf');
  const measured: Measurement[] = [];
  try {
    await withSource(SOURCE, async (model) => {
      const texts = [{ name: 'calibration', text: calibration, weight: 1 }];
      await calibrate({ model, source: SOURCE, texts, output, moments: MOMENT_ROLES });
      const plain = await planTarget(model, TARGET, { imatrix: await readImatrix(output) });
      const ids = encodeTexts(new Tokenizer(model.tokenizer), [evaluation], TOKENS);
      const beside = await compareModels(model, await roundedModel(plain.model, plain.plan, {}), ids);
      await withStatistics(output, async (statistics) => {
        const points = sweep(model, {
          ...{ target: TARGET, sizes: SHARES.map((share) => ({ share })), ffnWidths: FFN_WIDTHS },
          ...{ options: { quality: 'best', statistics: statistics! }, texts: [calibration] },
          ...{ evalTexts: [evaluation], evalTokens: TOKENS, threads: undefined },
        });
        let index = 0;
        for await (const { allocation, comparison } of points) {
          const share = Math.round(100 * SHARES[index++]!);
          const width = allocation.ffnWidth ?? model.config.intermediateSizes[0];
          measured.push({
            what: `${share} %, ${allocation.bytes} bytes, FFN ${width}`,
            ...{ ours: comparison.kld.mean, baseline: beside.kld.mean, unit: 'nats a token' },
          });
        }
      });
    });
    yield* measured;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
