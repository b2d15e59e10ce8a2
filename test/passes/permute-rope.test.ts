import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PlmConfig } from '../../src/core/config.ts';
import type { Model } from '../../src/core/model.ts';
import { plmTensors } from '../../src/core/names.ts';
import { rowBytes, rowCount, rowRanges, type Tensor } from '../../src/core/tensor.ts';
import { PASSES, passNamed } from '../../src/passes/index.ts';
import { permuteRope } from '../../src/passes/permute-rope.ts';
import { reorderRows } from '../../src/passes/rows/reorder-rows.ts';
import { hollowModel, SMALL_PLM } from '../support/builders/hollow-model.ts';
import { gaussian } from '../support/builders/samples.ts';

/** One head of 3 nope and 4 rope rows would be enough; two show that heads stay apart. */
const CONFIG: PlmConfig = {
  ...SMALL_PLM,
  hiddenSize: 2,
  numHiddenLayers: 1,
  intermediateSizes: [4],
  numAttentionHeads: 2,
  qkNopeHeadDim: 3,
  qkRopeHeadDim: 4,
  kvLoraRank: 8,
  ropeInterleave: false,
};

/** An F32 tensor whose every value is its row number. Remembers what was read. */
function numberedTensor(name: string, shape: readonly number[], reads: string[] = []): Tensor {
  const tensor: Tensor = {
    name,
    scheme: 'F32',
    shape,
    origin: { file: 0, offset: 128 },
    rowStep: 1,
    async readRows({ first, count }, into) {
      reads.push(`${first}+${count}`);
      assert.equal(into.length, count * rowBytes(tensor));
      const columns = rowBytes(tensor) / 4;
      for (let i = 0; i < count * columns; i++) {
        Buffer.from(into.buffer, into.byteOffset).writeFloatLE(first + Math.floor(i / columns), 4 * i);
      }
    },
  };
  return tensor;
}

function numberedModel(config: PlmConfig): Model {
  const tensors = plmTensors(config).map(({ name, shape }) => [name, numberedTensor(name, shape)] as const);
  return hollowModel(config, { tensors: new Map(tensors) });
}

/** First value of every row, read in ranges of `budget` bytes. */
async function rows(tensor: Tensor, budget: number): Promise<number[]> {
  const values: number[] = [];
  for (const range of rowRanges(tensor, budget)) {
    const into = Buffer.alloc(range.count * rowBytes(tensor));
    await tensor.readRows(range, into);
    for (let row = 0; row < range.count; row++) values.push(into.readFloatLE(row * rowBytes(tensor)));
  }
  return values;
}

const Q = 'model.layers.0.self_attn.q_proj.weight';
const QB = 'model.layers.0.self_attn.q_b_proj.weight';
const KV_A = 'model.layers.0.self_attn.kv_a_proj_with_mqa.weight';

describe('permute-rope', () => {
  const BUDGETS = [1, 8 * 7, 8 * 8, 1 << 20];

  it('interleaves the rope rows of every query head', async () => {
    const q = permuteRope.run(numberedModel(CONFIG)).tensors.get(Q)!;
    for (const budget of BUDGETS) {
      assert.deepEqual(await rows(q, budget), [0, 1, 2, 3, 5, 4, 6, 7, 8, 9, 10, 12, 11, 13]);
    }
  });

  it('interleaves the last rows of kv_a_proj_with_mqa', async () => {
    const kvA = permuteRope.run(numberedModel(CONFIG)).tensors.get(KV_A)!;
    assert.equal(kvA.rowStep, 4);
    for (const budget of BUDGETS) {
      assert.deepEqual(await rows(kvA, budget), [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 9, 11]);
    }
  });

  it('takes all rows at once where the latent is not a whole number of rope parts', async () => {
    const kvA = permuteRope.run(numberedModel({ ...CONFIG, kvLoraRank: 6 })).tensors.get(KV_A)!;
    assert.equal(kvA.rowStep, rowCount(kvA));
    assert.deepEqual(await rows(kvA, 1), [0, 1, 2, 3, 4, 5, 6, 8, 7, 9]);
  });

  it('interleaves q_b_proj where the query is low-rank', async () => {
    const model = permuteRope.run(numberedModel({ ...CONFIG, qLoraRank: 2 }));
    const expected = [0, 1, 2, 3, 5, 4, 6, 7, 8, 9, 10, 12, 11, 13];
    assert.deepEqual(await rows(model.tensors.get(QB)!, 1), expected);
  });

  it('leaves every other tensor as it is and says what it did', () => {
    const before = numberedModel(CONFIG);
    const after = permuteRope.run(before);
    assert.equal(after.config.ropeInterleave, true);
    const changed = [...after.tensors].filter(([name, tensor]) => before.tensors.get(name) !== tensor);
    assert.deepEqual(
      changed.map(([name, { origin }]) => [name, origin]),
      [Q, KV_A].map((name) => [name, before.tensors.get(name)!.origin]),
    );
    assert.deepEqual(
      after.changes.map(({ pass, subject }) => [pass, subject]),
      [Q, KV_A, 'config'].map((subject) => ['permute-rope', subject]),
    );
    assert.deepEqual([...after.tensors.keys()], [...before.tensors.keys()]);
  });

  it('returns an interleaved model itself', () => {
    const model = numberedModel({ ...CONFIG, ropeInterleave: true });
    assert.equal(permuteRope.run(model), model);
  });

  it('stands in the registry under its name', () => {
    assert.equal(passNamed('permute-rope'), permuteRope);
    assert.equal(passNamed('no-such-pass'), undefined);
    assert.equal(new Set(PASSES.map(({ name }) => name)).size, PASSES.length);
  });
});

describe('permute-rope keeps q·k', () => {
  const dim = 8;
  const next = gaussian(1);
  const [query, key] = [0, 1].map(() => Array.from({ length: dim }, next)) as [number[], number[]];
  const config = {
    ...CONFIG,
    hiddenSize: 1,
    numAttentionHeads: 1,
    qkNopeHeadDim: 1,
    qkRopeHeadDim: dim,
    kvLoraRank: dim,
  };

  /** RoPE of `values` at `position`, where `pairs` gives the two dimensions of pair i. */
  function rotate(
    values: readonly number[],
    position: number,
    pairs: (i: number) => [number, number],
  ): number[] {
    const out = values.slice();
    for (let i = 0; i < dim / 2; i++) {
      const angle = position * 100_000 ** ((-2 * i) / dim);
      const [a, b] = pairs(i);
      out[a] = values[a]! * Math.cos(angle) - values[b]! * Math.sin(angle);
      out[b] = values[a]! * Math.sin(angle) + values[b]! * Math.cos(angle);
    }
    return out;
  }

  const dot = (a: readonly number[], b: readonly number[]) =>
    a.reduce((sum, value, i) => sum + value * b[i]!, 0);

  it('when pairs change with it', async () => {
    const model = permuteRope.run(numberedModel(config));
    const order = async (name: string) => (await rows(model.tensors.get(name)!, 1)).slice(-dim);
    const [queryOrder, keyOrder] = [await order(Q), await order(KV_A)];
    const permutedQuery = queryOrder.map((row) => query[row - 1]!);
    const permutedKey = keyOrder.map((row) => key[row - dim]!);
    for (const [m, n] of [
      [0, 0],
      [5, 2],
      [4095, 17],
    ] as const) {
      const half = (i: number): [number, number] => [i, i + dim / 2];
      const neighbours = (i: number): [number, number] => [2 * i, 2 * i + 1];
      const before = dot(rotate(query, m, half), rotate(key, n, half));
      const after = dot(rotate(permutedQuery, m, neighbours), rotate(permutedKey, n, neighbours));
      // The same products summed in another order.
      assert.ok(Math.abs(before - after) < 1e-12, `${before} and ${after}`);
    }
  });
});

describe('reorderRows', () => {
  const reverseIn = (group: number) => (row: number) => row - (row % group) + group - 1 - (row % group);

  it('reads each range in one piece, front to back', async () => {
    const reads: string[] = [];
    const tensor = reorderRows(numberedTensor('w', [12, 2], reads), 3, reverseIn(3));
    assert.deepEqual(await rows(tensor, 6 * 8), [2, 1, 0, 5, 4, 3, 8, 7, 6, 11, 10, 9]);
    assert.deepEqual(reads, ['0+6', '6+6']);
  });

  it('stacks: steps of both reorderings are kept', async () => {
    const inner = reorderRows(numberedTensor('w', [12, 1]), 4, reverseIn(4));
    const outer = reorderRows(inner, 6, reverseIn(6));
    assert.equal(outer.rowStep, 12);
    assert.deepEqual(await rows(outer, 1), [6, 7, 0, 1, 2, 3, 8, 9, 10, 11, 4, 5]);
  });
});

it('keeps what is known of the rounding of rows: it moves them only', () => {
  const known = { ...numberedTensor('w', [8, 2]), roundedIn: 'Q8_0', oneScalePerRow: true } as const;
  const { roundedIn, oneScalePerRow } = reorderRows(known, 4, (row) => row ^ 1);
  assert.deepEqual([roundedIn, oneScalePerRow], ['Q8_0', true]);
});
