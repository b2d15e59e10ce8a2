import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PlmConfig } from '../../src/core/config.ts';
import type { Model } from '../../src/core/model.ts';
import { type LayeredOptions, LayeredRuntime } from '../../src/runtime/layered-runtime.ts';
import { PlmRuntime, type RuntimeOptions } from '../../src/runtime/plm-runtime.ts';
import { hollowModel, PLM_1_8B, SMALL_PLM } from '../support/builders/hollow-model.ts';
import { memoryModel } from '../support/builders/memory-model.ts';
import { ODD_PLM } from '../support/builders/odd-plm.ts';
import { oracleLogits, type Watch } from '../support/oracles/plm-oracle.ts';
import { pressFailure } from '../support/press-failure.ts';

/** Several batches of one window, and windows that are shorter. */
const WINDOWS = [150, 1, 20].map((length, window) =>
  Array.from({ length }, (_, i) => (i * i * 7 + 31 * window) % 256),
);
const SEQUENCES = WINDOWS.map((ids) => ({ ids }));

async function layeredLogits(model: Model, options: LayeredOptions): Promise<Float32Array[]> {
  const runtime = await LayeredRuntime.open(model, SEQUENCES, { threads: 1, ...options });
  while (runtime.layers < model.config.numHiddenLayers) await runtime.nextLayer();
  const rows: Float32Array[] = [];
  for await (const row of runtime.logits()) rows.push(row.slice());
  await runtime.close();
  return rows;
}

async function residentLogits(model: Model, options: Partial<RuntimeOptions> = {}): Promise<Float32Array[]> {
  const runtime = await PlmRuntime.open(model, { contextLength: 150, threads: 1, ...options });
  const rows: Float32Array[] = [];
  for (const ids of WINDOWS) {
    runtime.reset();
    for await (const row of runtime.logits(ids)) rows.push(row.slice());
  }
  await runtime.close();
  return rows;
}

describe('one layer at a time has the bits of all weights in memory', () => {
  const geometries: readonly [name: string, config: PlmConfig, scheme: 'F32' | 'Q4_0'][] = [
    ['tied, in blocks', SMALL_PLM, 'Q4_0'],
    ['untied', { ...SMALL_PLM, tieWordEmbeddings: false }, 'Q4_0'],
    ['all that published ones lack', { ...ODD_PLM, maxPositionEmbeddings: 150 }, 'F32'],
  ];
  for (const [name, config, scheme] of geometries) {
    for (const attention of ['latent', 'expanded'] as const) {
      it(`${name}, ${attention}`, async () => {
        const model = memoryModel(config, { scheme });
        const expected = await residentLogits(model, { attention });
        for (const holdsHead of [false, true]) {
          assert.deepEqual(await layeredLogits(model, { attention, holdsHead }), expected);
        }
      });
    }
  }
});

it('the share of neurons that fire is told by layer, of all windows', async () => {
  const model = memoryModel({ ...SMALL_PLM, intermediateSizes: [96, 32] });
  const counts = [0, 1].map(() => ({ met: 0, fired: 0 }));
  const watch: Watch = (matrix, layer, input) => {
    if (matrix !== 'down_proj') return;
    counts[layer]!.met += input.length;
    counts[layer]!.fired += input.filter((value) => value > 0).length;
  };
  for (const ids of WINDOWS) await oracleLogits(model, ids, { watch });
  for (const attention of ['latent', 'expanded'] as const) {
    const options = { threads: 1, attention };
    const runtime = await LayeredRuntime.open(model, SEQUENCES, { ...options, countsFirings: true });
    while (runtime.layers < 2) await runtime.nextLayer();
    assert.deepEqual(
      runtime.firing,
      counts.map(({ met, fired }) => fired / met),
    );
    await runtime.close();
    const silent = await LayeredRuntime.open(model, SEQUENCES, options);
    assert.equal(silent.firing, undefined);
    await silent.close();
  }
});

it('hears a signal between two rows of logits', async () => {
  const model = memoryModel(SMALL_PLM);
  for (const holdsHead of [false, true]) {
    const controller = new AbortController();
    const options = { threads: 1, holdsHead, signal: controller.signal };
    const runtime = await LayeredRuntime.open(model, SEQUENCES, options);
    while (runtime.layers < 2) await runtime.nextLayer();
    let rows = 0;
    const read = async () => {
      for await (const _ of runtime.logits()) if (rows++ === 0) setImmediate(() => controller.abort());
    };
    await assert.rejects(read(), { name: 'AbortError' });
    assert.equal(rows, 1);
    await runtime.close();
  }
});

it('refuses ids outside the vocabulary', async () => {
  const model = memoryModel(SMALL_PLM);
  for (const id of [-1, 512, 0.5]) {
    await assert.rejects(
      LayeredRuntime.open(model, [{ ids: [1, id] }]),
      pressFailure('invalid-input', /^token id, got /),
    );
  }
});

it('F32 PLM-1.8B of 7.3 GB goes through 300 MB, and 1.3 GB more with its head', () => {
  const model = hollowModel(PLM_1_8B, {}, 'F32');
  const windows = Array.from({ length: 8 }, () => ({ ids: { length: 256 } }));
  const bytes = (holdsHead: boolean) => LayeredRuntime.memoryBytes(model, windows, { holdsHead });
  assert.ok(bytes(false) < 300e6, `${bytes(false)} bytes`);
  assert.ok(bytes(true) < 1.6e9, `${bytes(true)} bytes`);
});
