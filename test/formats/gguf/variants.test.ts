import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { ggufPasses } from '../../../formats/gguf/architecture.ts';
import { planGguf } from '../../../formats/gguf/export.ts';
import { openGguf } from '../../../formats/gguf/import.ts';
import { openHfFolder } from '../../../formats/hf/import.ts';
import { closeModel, type Model } from '../../../src/core/model.ts';
import { rowBytes, rowCount, type Tensor } from '../../../src/core/tensor.ts';
import { parsePassRequest, runPasses } from '../../../src/passes/run.ts';
import {
  BLOCKS_OF_32,
  BLOCKS_OF_256,
  type RandomCheckpoint,
  writeRandomCheckpoint,
} from '../../support/builders/random-checkpoint.ts';
import type { TinyTensor } from '../../support/builders/tiny-checkpoint.ts';
import { writePlan } from '../../support/builders/write-plan.ts';
import { llamaQuantize } from '../../support/oracles/llama-quantize.ts';
import { logitsOf } from '../../support/oracles/logits.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const { qk_nope_head_dim: NOPE, qk_rope_head_dim: ROPE } = BLOCKS_OF_32 as Record<string, number>;

/** Moves rope rows from pairs (2i, 2i + 1) to pairs (i, i + d/2): the checkpoint of the same model. */
function halfSplit({ name, shape }: TinyTensor, values: Float32Array): Float32Array {
  const isQuery = name.endsWith('q_proj.weight');
  if (!isQuery && !name.endsWith('kv_a_proj_with_mqa.weight')) return values;
  const [rows, columns] = [shape[0]!, shape[1]!];
  const group = isQuery ? NOPE! + ROPE! : rows;
  const moved = values.slice();
  for (let start = group - ROPE!; start < rows; start += group) {
    for (let k = 0; k < ROPE!; k++) {
      const to = start + Math.floor(k / 2) + (k % 2) * (ROPE! / 2);
      moved.set(values.subarray((start + k) * columns, (start + k + 1) * columns), to * columns);
    }
  }
  return moved;
}

/** Checkpoints that hold the same model in different ways. */
const VARIANTS: Readonly<Record<string, RandomCheckpoint & { readonly tolerance?: number }>> = {
  'bf16 weights': {},
  'f16 weights': { dtype: 'F16' },
  'f32 weights': { dtype: 'F32' },
  '3 shards': { shards: 3 },
  'rope_interleave false': {
    config: { ...BLOCKS_OF_32, rope_interleave: false },
    rewrite: halfSplit,
    // The products of q·k are summed in another order in f32; logits are of order 1.
    tolerance: 1e-5,
  },
};

async function opened(t: TestContext, open: Promise<Model>): Promise<Model> {
  const model = await open;
  t.after(() => closeModel(model));
  return model;
}

async function checkpoint(t: TestContext, options: RandomCheckpoint): Promise<Model> {
  const folder = path.join(temporaryFolder(t), 'random');
  writeRandomCheckpoint(folder, options);
  return opened(t, openHfFolder(folder));
}

/** The model that an exporter of GGUF gets. */
function prepared(model: Model): Promise<Model> {
  return runPasses(model, ggufPasses(model).map(parsePassRequest));
}

async function storedBytes(tensor: Tensor): Promise<Uint8Array> {
  const bytes = new Uint8Array(rowCount(tensor) * rowBytes(tensor));
  await tensor.readRows({ first: 0, count: rowCount(tensor) }, bytes);
  return bytes;
}

const IDS = Array.from({ length: 24 }, (_, i) => (i * 377) % 2000);

function maxDifference(a: readonly Float32Array[], b: readonly Float32Array[]): number {
  assert.equal(a.length, b.length);
  return Math.max(...a.flatMap((row, i) => Array.from(row, (value, id) => Math.abs(value - b[i]![id]!))));
}

describe('a checkpoint with', () => {
  for (const [what, { tolerance = 0, ...options }] of Object.entries(VARIANTS)) {
    for (const recipe of ['bf16', 'f32']) {
      it(`${what} gives its own logits through gguf:${recipe} and back`, async (t) => {
        const source = await checkpoint(t, options);
        const [file] = await writePlan(planGguf(await prepared(source), { recipe }), temporaryFolder(t));
        const back = await opened(t, openGguf(file!));
        assert.deepEqual(back.config, { ...source.config, ropeInterleave: true });
        assert.deepEqual(back.tokenizer, source.tokenizer);
        const difference = maxDifference(await logitsOf(source, IDS), await logitsOf(back, IDS));
        assert.ok(difference <= tolerance, `logits differ by ${difference}`);
      });
    }
  }

  it('rope_interleave false becomes the file of its interleaved twin', async (t) => {
    const files: string[] = [];
    for (const options of [VARIANTS['bf16 weights']!, VARIANTS['rope_interleave false']!]) {
      const plan = planGguf(await prepared(await checkpoint(t, options)), { recipe: 'bf16' });
      const model = await opened(t, openGguf((await writePlan(plan, temporaryFolder(t)))[0]!));
      files.push(await model.files[0]!.sha256());
    }
    assert.equal(files[0], files[1]);
  });

  it('rows of 96 weights gets the fallback schemes and bytes of llama-quantize', async (t) => {
    const folder = temporaryFolder(t);
    const model = await checkpoint(t, {});
    const [source] = await writePlan(planGguf(model, { recipe: 'f32' }), folder);
    const plan = planGguf(model, { recipe: 'q4_0' });
    assert.deepEqual(
      plan.fallbacks.map(({ tensor, used }) => [tensor, used]),
      [['model.embed_tokens.weight', 'Q8_0']],
    );
    const ours = await opened(t, openGguf((await writePlan(plan, folder))[0]!));
    const target = path.join(folder, 'theirs.gguf');
    llamaQuantize(source!, target, 2);
    const theirs = await opened(t, openGguf(target));
    for (const [name, tensor] of ours.tensors) {
      assert.equal(tensor.scheme, theirs.tensors.get(name)!.scheme, name);
      assert.deepEqual(await storedBytes(tensor), await storedBytes(theirs.tensors.get(name)!), name);
    }
  });

  it('GGUF weights is exported again to the same bytes', async (t) => {
    const folder = temporaryFolder(t);
    const source = await checkpoint(t, {});
    const plan = planGguf(source, { recipe: 'q4_0' });
    const model = await opened(t, openGguf((await writePlan(plan, folder))[0]!));
    const again = await writePlan(planGguf(model, { recipe: 'q4_0' }), path.join(folder, 'again'));
    const twin = await opened(t, openGguf(again[0]!));
    assert.equal(await twin.files[0]!.sha256(), await model.files[0]!.sha256());
  });

  for (const [recipe, fileType] of [
    ['q4_k_m', 15],
    ['f32', 0],
    ['iq4_xs', 30],
  ] as const) {
    for (const from of ['f16', 'bf16', 'q8_0', 'q5_1']) {
      it(`GGUF weights in ${from} becomes ${recipe} as in llama-quantize`, async (t) => {
        const folder = temporaryFolder(t);
        const model = await checkpoint(t, { config: BLOCKS_OF_256 });
        const [source] = await writePlan(planGguf(model, { recipe: from }), folder);
        const again = await opened(t, openGguf(source!));
        const plan = planGguf(again, { recipe, allowRequantize: true });
        const ours = await opened(t, openGguf((await writePlan(plan, path.join(folder, 'ours')))[0]!));
        const target = path.join(folder, 'theirs.gguf');
        llamaQuantize(source!, target, fileType, { allowRequantize: true });
        const theirs = await opened(t, openGguf(target));
        for (const [name, tensor] of ours.tensors) {
          assert.equal(tensor.scheme, theirs.tensors.get(name)!.scheme, name);
          assert.deepEqual(await storedBytes(tensor), await storedBytes(theirs.tensors.get(name)!), name);
        }
      });
    }
  }
});
