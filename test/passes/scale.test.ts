import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Model } from '../../src/core/model.ts';
import { balancingScales } from '../../src/passes/rows/scale.ts';
import { parsePassRequest, runPass } from '../../src/passes/run.ts';
import { SMALL_PLM } from '../support/builders/hollow-model.ts';
import { memoryModel, tensorValues } from '../support/builders/memory-model.ts';
import { madeUpStatistics } from '../support/builders/statistics.ts';

const CONFIG = { ...SMALL_PLM, hiddenSize: 8, numHiddenLayers: 1, intermediateSizes: [16] };
const model: Model = { ...memoryModel(CONFIG), statistics: madeUpStatistics(CONFIG) };
const LAYER = 'model.layers.0';

const valuesOf = ({ tensors }: Model, name: string) => tensorValues(tensors.get(`${LAYER}.${name}.weight`)!);

const near = (actual: number, expected: number, what: string) =>
  assert.ok(Math.abs(actual / expected - 1) < 1e-4, `${what}: ${actual}, expected ${expected}`);

const geometricMean = (values: readonly number[]) =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);

describe('scales', () => {
  it('balance squares around their geometric mean, in which zeros do not count', () => {
    const scales = balancingScales([4, 0, 1], 0.5);
    near(scales[0]!, Math.SQRT2, 'of 4');
    near(scales[1]!, 1, 'of 0');
    near(scales[2]!, Math.SQRT1_2, 'of 1');
  });

  it('of scale-inputs make columns of large inputs large, and the norm before them small', async () => {
    const after = await runPass(model, parsePassRequest('scale-inputs:alpha=0.5'));
    // The inputs of q_proj are those of kv_a_proj.
    const matrices = [
      ['input_layernorm', 'self_attn.q_proj', 'blk.0.attn_kv_a_mqa.weight'],
      ['post_attention_layernorm', 'mlp.up_proj', 'blk.0.ffn_up.weight'],
    ] as const;
    for (const [norm, matrix, inputs] of matrices) {
      const squares = [...(await model.statistics!.inputs.get(inputs)!.meanSquares())];
      const mean = geometricMean(squares);
      const [gamma, scaledGamma] = [await valuesOf(model, norm), await valuesOf(after, norm)];
      const [weights, scaled] = [await valuesOf(model, matrix), await valuesOf(after, matrix)];
      for (const [column, square] of squares.entries()) {
        const factor = (square / mean) ** 0.25;
        near(scaledGamma[column]! / gamma[column]!, 1 / factor, `${norm}[${column}]`);
        near(scaled[column]! / weights[column]!, factor, `${matrix}[0, ${column}]`);
      }
    }
  });

  it('of scale-ffn with alpha 1 give all columns of down_proj one length', async () => {
    const lengths = async (of: Model) => {
      const values = await valuesOf(of, 'mlp.down_proj');
      return Array.from({ length: 16 }, (_, column) =>
        Math.hypot(...Array.from({ length: 8 }, (_, row) => values[16 * row + column]!)),
      );
    };
    const mean = geometricMean(await lengths(model));
    const after = await lengths(await runPass(model, parsePassRequest('scale-ffn:alpha=1')));
    for (const [column, length] of after.entries()) near(length, mean, `column ${column}`);
  });
});
