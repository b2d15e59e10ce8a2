import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PlmConfig } from '../../src/core/config.ts';
import type { Model } from '../../src/core/model.ts';
import { PlmRuntime } from '../../src/runtime/plm-runtime.ts';
import { streamedBytes, streamedLogits } from '../../src/runtime/streamed-logits.ts';
import { hollowModel, PLM_1_8B, SMALL_PLM } from '../support/builders/hollow-model.ts';
import { memoryModel } from '../support/builders/memory-model.ts';
import { ODD_PLM } from '../support/builders/odd-plm.ts';

const IDS = [7, 3, 3, 250, 0, 101, 42, 7, 12, 99, 64, 5];

async function residentLogits(model: Model): Promise<Float32Array[]> {
  const runtime = await PlmRuntime.open(model, { contextLength: IDS.length, threads: 2 });
  try {
    const rows: Float32Array[] = [];
    for await (const row of runtime.logits(IDS)) rows.push(row.slice());
    return rows;
  } finally {
    await runtime.close();
  }
}

describe('streamed logits have the bits of the runtime', () => {
  const geometries: readonly [name: string, config: PlmConfig, scheme: 'F32' | 'Q4_0'][] = [
    ['tied, in blocks', SMALL_PLM, 'Q4_0'],
    ['all that published ones lack', ODD_PLM, 'F32'],
    // The head has 9.6 MB: two parts.
    ['a head in parts', { ...SMALL_PLM, vocabSize: 9400 }, 'F32'],
  ];
  for (const [name, config, scheme] of geometries) {
    it(name, async () => {
      const model = memoryModel(config, { scheme });
      const expected = await residentLogits(model);
      for (const threads of [1, 2]) {
        assert.deepEqual(await streamedLogits(model, IDS, { threads }), expected);
      }
    });
  }
});

it('a model of 3.65 GB streams through 120 MB', () => {
  const bytes = streamedBytes(hollowModel(PLM_1_8B), IDS.length);
  assert.ok(bytes < 120e6, `${bytes} bytes`);
});
