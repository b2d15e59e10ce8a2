import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PlmConfig } from '../../src/core/config.ts';
import type { Model } from '../../src/core/model.ts';
import { plmTensors } from '../../src/core/names.ts';
import { elementCount, rowBytes, rowRanges, type Tensor } from '../../src/core/tensor.ts';
import { absorbMla } from '../../src/passes/absorb-mla.ts';
import { PlmRuntime } from '../../src/runtime/plm-runtime.ts';
import { SMALL_PLM } from '../support/hollow-model.ts';
import { memoryModel, storedBytes, tensorValues } from '../support/memory-model.ts';

const CONFIG: PlmConfig = {
  ...SMALL_PLM,
  hiddenSize: 64,
  intermediateSizes: [96, 96],
  numAttentionHeads: 3,
  kvLoraRank: 32,
  qkNopeHeadDim: 6,
  vHeadDim: 5,
  maxPositionEmbeddings: 64,
};

const KV_B = 'model.layers.1.self_attn.kv_b_proj.weight';
const K_B = 'model.layers.1.self_attn.k_b_proj.weight';
const V_B = 'model.layers.1.self_attn.v_b_proj.weight';

function tensor(model: Model, name: string): Tensor {
  return model.tensors.get(name)!;
}

/** The tensor's bytes in ranges of `budget` bytes. */
async function inRanges(source: Tensor, budget: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (const range of rowRanges(source, budget)) {
    const into = new Uint8Array(range.count * rowBytes(source));
    await source.readRows(range, into);
    parts.push(into);
  }
  return Buffer.concat(parts);
}

async function logits(model: Model, attention: 'expanded' | 'latent'): Promise<Float32Array[]> {
  const runtime = await PlmRuntime.open(model, { contextLength: 32, threads: 1, attention });
  const rows: Float32Array[] = [];
  for await (const row of runtime.logits([7, 499, 0, 31, 31, 150, 8, 42])) rows.push(row.slice());
  await runtime.close();
  return rows;
}

describe('absorb-mla', () => {
  it('gives k_b[h][c][i] = kv_b[h, i, c] and v_b[h][j][c] = kv_b[h, nope + j, c]', async () => {
    const model = memoryModel(CONFIG);
    const split = absorbMla.run(model);
    const [kvB, kB, vB] = [
      await tensorValues(tensor(model, KV_B)),
      await tensorValues(tensor(split, K_B)),
      await tensorValues(tensor(split, V_B)),
    ];
    const { numAttentionHeads: heads, kvLoraRank: rank, qkNopeHeadDim: nope, vHeadDim: v } = CONFIG;
    for (let h = 0; h < heads; h++) {
      for (let c = 0; c < rank; c++) {
        const at = (row: number) => kvB[(h * (nope + v) + row) * rank + c];
        for (let i = 0; i < nope; i++) assert.equal(kB[(h * rank + c) * nope + i], at(i));
        for (let j = 0; j < v; j++) assert.equal(vB[(h * v + j) * rank + c], at(nope + j));
      }
    }
  });

  it('keeps the order of plmTensors and the number of parameters, and says what it did', () => {
    const model = memoryModel(CONFIG);
    const split = absorbMla.run(model);
    assert.deepEqual(
      [...split.tensors].map(([name, { shape }]) => [name, shape]),
      plmTensors(split.config).map(({ name, shape }) => [name, shape]),
    );
    const count = ({ tensors }: Model) =>
      [...tensors.values()].reduce((sum, tensor) => sum + elementCount(tensor), 0);
    assert.equal(count(split), count(model));
    assert.deepEqual(
      split.changes.map(({ pass, subject }) => [pass, subject]),
      [
        ['absorb-mla', 'model.layers.0.self_attn.kv_b_proj.weight'],
        ['absorb-mla', KV_B],
        ['absorb-mla', 'config'],
      ],
    );
    assert.equal(absorbMla.run(split), split);
  });

  it('keeps the scheme of floats, and of v_b in blocks, but decodes k_b', () => {
    const schemes = (scheme: 'BF16' | 'F16' | 'Q8_0') => {
      const split = absorbMla.run(memoryModel(CONFIG, { scheme }));
      return [K_B, V_B].map((name) => tensor(split, name).scheme);
    };
    assert.deepEqual(schemes('BF16'), ['BF16', 'BF16']);
    assert.deepEqual(schemes('F16'), ['F16', 'F16']);
    assert.deepEqual(schemes('Q8_0'), ['F32', 'Q8_0']);
  });

  for (const scheme of ['BF16', 'Q8_0'] as const) {
    it(`reads the same bytes of ${scheme} in ranges of any size`, async () => {
      const split = absorbMla.run(memoryModel(CONFIG, { scheme }));
      for (const name of [K_B, V_B]) {
        const whole = await storedBytes(tensor(split, name));
        for (const budget of [1, 1500, 1 << 20]) {
          assert.deepEqual(await inRanges(tensor(split, name), budget), Buffer.from(whole));
        }
      }
    });
  }

  for (const attention of ['expanded', 'latent'] as const) {
    it(`leaves the logits of ${attention} attention what they were, up to 1e-4 of the largest`, async () => {
      const model = memoryModel(CONFIG);
      const [a, b] = [await logits(model, attention), await logits(absorbMla.run(model), attention)];
      const largest = Math.max(...a.flatMap((row) => Array.from(row, Math.abs)));
      for (const [t, row] of a.entries()) {
        for (const [id, value] of row.entries()) {
          assert.ok(Math.abs(value - b[t]![id]!) <= 1e-4 * largest, `position ${t}, token ${id}`);
        }
      }
    });
  }
});
