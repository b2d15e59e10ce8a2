import assert from 'node:assert/strict';
import { it } from 'node:test';
import { predictMeasuring, STEPS } from '../../src/pipeline/calibration/cost.ts';
import { openLiveStatistics } from '../../src/pipeline/calibration/open-live.ts';
import { planTargets } from '../../src/pipeline/planning/target.ts';
import { withSource } from '../../src/pipeline/sources/open.ts';
import { fixture } from '../support/paths.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const TOKENS = 512;

/** Of plm-tiny. */
const [LAYERS, HIDDEN, FFN, VOCABULARY, HEADS] = [4, 256, 1024, 2048, 8];

/** Rows of what has the hidden state, or something as wide, as its input. */
const ROWS = HEADS * (32 + 16) + (256 + 16) + HEADS * (32 + 32) + HIDDEN + FFN;

/** Parts of the rate of a matrix product, as docs/quantization.md gives them. */
const SPEEDS = { text: 1, moments: 1, factors: 0.35, rounding: 0.5 };

const MULTIPLICATIONS = {
  // Chunks are as long as the context that statistics are measured in: half of them is seen on average.
  text: (chunk: number) =>
    TOKENS * LAYERS * (ROWS * HIDDEN + FFN * HIDDEN + (HEADS * (2 * 256 + 16) * chunk) / 2),
  // q and kv_a, kv_b, o and up have 256 inputs, each of its own; the head has as many.
  moments: () => TOKENS * (LAYERS * (4 * HIDDEN ** 2 + FFN ** 2) + HIDDEN ** 2) * 0.5,
  factors: () => (LAYERS * (4 * HIDDEN ** 3 + FFN ** 3) + HIDDEN ** 3) / 6,
  rounding: () => (LAYERS * (ROWS * HIDDEN ** 2 + HIDDEN * FFN ** 2) + VOCABULARY * HIDDEN ** 2) / 2,
};

it('steps take time in proportion to their multiplications', async (t) => {
  const output = temporaryFolder(t);
  await withSource(fixture('plm-tiny'), async (model) => {
    const live = await openLiveStatistics(model, { maxTokens: TOKENS }, { output });
    const options = { quality: 'best', statistics: live.statistics } as const;
    const targets = await planTargets(model, ['gguf:q4_k_m'], options);
    const { seconds, tokens, threads } = await predictMeasuring(live, model, targets, 1);
    assert.deepEqual([tokens, threads], [TOKENS, 1]);
    const rates = STEPS.map((step) => MULTIPLICATIONS[step](live.chunkSize) / SPEEDS[step] / seconds[step]);
    for (const [index, rate] of rates.entries()) {
      assert.ok(Math.abs(rate / rates[0]! - 1) < 1e-9, `${STEPS[index]}: ${rate} and ${rates[0]}`);
    }
  });
});
