import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type NeuronStatistics, SAMPLE_WORDS } from '../../src/core/statistics.ts';
import { parsePassRequest, runPass } from '../../src/passes/run.ts';
import { SMALL_PLM } from '../support/builders/hollow-model.ts';
import { memoryModel, tensorValues } from '../support/builders/memory-model.ts';
import { madeUpStatistics } from '../support/builders/statistics.ts';

const CONFIG = { ...SMALL_PLM, hiddenSize: 8, numHiddenLayers: 1, intermediateSizes: [6] };
const UP = 'model.layers.0.mlp.up_proj.weight';

/** By neuron: how often it fired, and by which of the first sampled tokens. */
const FIRINGS = [10, 50, 20, 30, 40, 5];
const FIRED = [0b0011, 0b1100, 0b1000, 0b0110, 0b0011, 0b1110];

const made = madeUpStatistics(CONFIG);
const fired = new Uint16Array(6 * SAMPLE_WORDS);
for (const [neuron, tokens] of FIRED.entries()) fired[neuron * SAMPLE_WORDS] = tokens;
const neurons: NeuronStatistics[] = [{ ...made.neurons()![0]!, firings: Float32Array.from(FIRINGS), fired }];
const model = { ...memoryModel(CONFIG), statistics: { ...made, neurons: () => neurons } };

/** The order that neurons have afterwards, by their numbers before. */
async function order(options: string): Promise<number[]> {
  const values = async ({ tensors }: typeof model | Awaited<ReturnType<typeof runPass>>) => {
    const all = await tensorValues(tensors.get(UP)!);
    return Array.from({ length: 6 }, (_, row) => all.slice(8 * row, 8 * (row + 1)).join());
  };
  const before = await values(model);
  return (await values(await runPass(model, parsePassRequest(`reorder-neurons:${options}`)))).map((row) =>
    before.indexOf(row),
  );
}

describe('neurons are sorted', () => {
  it('by activity, the most active first, where groups hold one', async () => {
    assert.deepEqual(await order('group=1'), [1, 4, 3, 2, 0, 5]);
  });

  it('in groups, where those follow that share most of the firings of the first', async () => {
    // 1 shares 2 of 3 tokens with 5, 1 of 2 with 2, 1 of 3 with 3; then 4 leads, which 0 equals.
    assert.deepEqual(await order('group=2'), [1, 5, 4, 0, 3, 2]);
    assert.deepEqual(await order('group=3'), [1, 5, 2, 4, 0, 3]);
  });
});
