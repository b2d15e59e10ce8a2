import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { ggufPasses } from '../../../formats/gguf/architecture.ts';
import { readGguf } from '../../../formats/gguf/container/reader.ts';
import type { GgufHeader, GgufValue } from '../../../formats/gguf/container/types.ts';
import { type GgufOptions, planGguf } from '../../../formats/gguf/export.ts';
import { openGguf } from '../../../formats/gguf/import.ts';
import { RECIPES } from '../../../formats/gguf/recipes.ts';
import { openHfFolder } from '../../../formats/hf/import.ts';
import { kvCacheElements } from '../../../src/core/config.ts';
import type { ExportPlan } from '../../../src/core/export-plan.ts';
import { closeModel, type Model } from '../../../src/core/model.ts';
import { elementCount } from '../../../src/core/tensor.ts';
import { absorbMla } from '../../../src/passes/absorb-mla.ts';
import { parsePassRequest, runPasses } from '../../../src/passes/run.ts';
import { predict } from '../../../src/pipeline/plan/predict.ts';
import { planTarget } from '../../../src/pipeline/planning/target.ts';
import { verify } from '../../../src/pipeline/verify.ts';
import { partsOf, writeFile } from '../../support/builders/gguf-parts.ts';
import { headerOf } from '../../support/builders/hollow-gguf.ts';
import { hollowModel, PLM_1_8B, SMALL_PLM } from '../../support/builders/hollow-model.ts';
import { randomImatrix } from '../../support/builders/imatrix-files.ts';
import { memoryModel, memoryTensor, storedBytes } from '../../support/builders/memory-model.ts';
import {
  BLOCKS_OF_32,
  BLOCKS_OF_256,
  writeRandomCheckpoint,
} from '../../support/builders/random-checkpoint.ts';
import { memorySource } from '../../support/builders/raw-gguf.ts';
import { writePlan } from '../../support/builders/write-plan.ts';
import { openInLlama } from '../../support/oracles/llama.ts';
import { llamaQuantize } from '../../support/oracles/llama-quantize.ts';
import { logitsOf } from '../../support/oracles/logits.ts';
import { fixture } from '../../support/paths.ts';
import { pressFailure } from '../../support/press-failure.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const IDS: readonly number[] = JSON.parse(readFileSync(fixture('plm-tiny', 'golden.json'), 'utf8')).ids;

/** Cells of llama.cpp's cache in these tests. */
const CONTEXT = 256;

async function opened(t: TestContext, open: Promise<Model>): Promise<Model> {
  const model = await open;
  t.after(() => closeModel(model));
  return model;
}

const tiny = (t: TestContext) => opened(t, openHfFolder(fixture('plm-tiny')));

async function plan(model: Model, options: GgufOptions): Promise<ExportPlan> {
  const prepared = await runPasses(model, ggufPasses(model, 'deepseek2').map(parsePassRequest));
  return planGguf(prepared, { ...options, arch: 'deepseek2' });
}

function logSoftmax(logits: ArrayLike<number>): number[] {
  const values = Array.from(logits);
  const max = values.reduce((a, b) => Math.max(a, b));
  const log = Math.log(values.reduce((sum, value) => sum + Math.exp(value - max), 0));
  return values.map((value) => value - max - log);
}

function meanDivergence(p: readonly ArrayLike<number>[], q: readonly ArrayLike<number>[]): number {
  const rows = p.map((row, t) => {
    const [a, b] = [logSoftmax(row), logSoftmax(q[t]!)];
    return a.reduce((sum, value, id) => sum + Math.exp(value) * (value - b[id]!), 0);
  });
  return rows.reduce((sum, row) => sum + row, 0) / rows.length;
}

/** Largest difference of two tables as part of the largest value of the first. */
function relativeDifference(a: readonly Float32Array[], b: readonly Float32Array[]): number {
  const largest = (rows: readonly Float32Array[], of: (value: number, t: number, id: number) => number) =>
    rows.reduce((max, row, t) => row.reduce((m, value, id) => Math.max(m, of(value, t, id)), max), 0);
  return largest(a, (value, t, id) => Math.abs(value - b[t]![id]!)) / largest(a, Math.abs);
}

/**
 * Greatest mean KL divergence of llama.cpp's distributions from those of our runtime on the checkpoint. For
 * f32 what remains is the cache of f16 (measured 1.1e-7, with flash attention 8.9e-8); for blocks the
 * rounding of weights and activations (measured 1.9e-4 and 3.9e-3).
 */
const MAX_KL = { f32: 1e-4, q8_0: 2e-3, q4_k_m: 2e-2 } as const;

describe('llama.cpp runs plm-tiny as arch deepseek2', () => {
  for (const recipe of ['f32', 'q8_0', 'q4_k_m'] as const) {
    for (const flashAttention of [false, true]) {
      it(`from gguf:${recipe} with a latent cache, flash attention ${flashAttention ? 'on' : 'off'}`, async (t) => {
        const model = await tiny(t);
        const [file] = await writePlan(await plan(model, { recipe }), temporaryFolder(t));
        const llama = await openInLlama(file!, { contextSize: CONTEXT, flashAttention });
        t.after(() => llama.dispose());
        const kl = meanDivergence(await logitsOf(model, IDS), await llama.logits(IDS));
        t.diagnostic(`${IDS.length} positions, mean KL ${kl.toExponential(2)}`);
        assert.ok(IDS.length >= 128 && kl <= MAX_KL[recipe], `mean KL ${kl}`);

        const log = llama.log();
        assert.match(log, flashAttention ? /flash_attn += enabled/ : /flash_attn += disabled/);
        const cache = /(\d+) cells,.* K \(f16\): +([\d.]+) MiB, V \(f16\): +([\d.]+) MiB/.exec(log);
        const [cells, keys, values] = (cache ?? []).slice(1).map(Number);
        const latent = (2 * CONTEXT * kvCacheElements(model.config, 'latent')) / 2 ** 20;
        assert.deepEqual([cells, keys, values], [CONTEXT, Number(latent.toFixed(2)), 0]);
        if (!flashAttention) return;
        // What plan predicts beside weights and cache, up to two rows of the hidden size.
        const target = await planTarget(model, `gguf:${recipe}`, { arch: 'deepseek2' });
        const { fileBytes, weightBytes, overheadBytes } = predict(model, [target], { context: CONTEXT })
          .targets[0]!;
        const predicted = (overheadBytes - (fileBytes - weightBytes)) / 2 ** 20;
        const reserved = Number(/compute buffer size = +([\d.]+) MiB/.exec(log)![1]);
        const slack = (4 * CONTEXT * 2 * model.config.hiddenSize) / 2 ** 20;
        assert.ok(Math.abs(predicted - reserved) <= slack, `${predicted} MiB, llama.cpp has ${reserved}`);
      });
    }
  }

  it('from a checkpoint with rope_interleave false', async (t) => {
    const folder = path.join(temporaryFolder(t), 'random');
    writeRandomCheckpoint(folder, {
      config: { ...BLOCKS_OF_32, rope_interleave: false, max_position_embeddings: CONTEXT },
    });
    const model = await opened(t, openHfFolder(folder));
    const [file] = await writePlan(await plan(model, { recipe: 'f32' }), temporaryFolder(t));
    const llama = await openInLlama(file!, { contextSize: CONTEXT, flashAttention: true });
    t.after(() => llama.dispose());
    const ids = IDS.slice(0, 48);
    const kl = meanDivergence(await logitsOf(model, ids), await llama.logits(ids));
    t.diagnostic(`mean KL ${kl.toExponential(2)}`);
    assert.ok(kl <= MAX_KL.f32, `mean KL ${kl}`);
  });
});

describe('a GGUF of arch deepseek2', () => {
  for (const { name, fileType, needsImatrix } of RECIPES) {
    if (name === 'f32' || needsImatrix) continue;
    it(`in ${name} has the order, types and bytes that llama-quantize makes of our f32`, async (t) => {
      await assertAsLlamaQuantize(t, await tiny(t), { recipe: name }, fileType);
    });
  }

  it('has the fallback types of llama-quantize for heads of 128', async (t) => {
    const folder = path.join(temporaryFolder(t), 'random');
    const config = { ...BLOCKS_OF_256, qk_nope_head_dim: 128, v_head_dim: 128, num_attention_heads: 2 };
    writeRandomCheckpoint(folder, { config });
    const model = await opened(t, openHfFolder(folder));
    for (const { name, fileType, needsImatrix } of RECIPES) {
      if (name === 'f32' || needsImatrix) continue;
      await assertAsLlamaQuantize(t, model, { recipe: name }, fileType);
    }
  });

  it('gives our logits when it is opened again, and verifies', async (t) => {
    const model = await tiny(t);
    const [file] = await writePlan(await plan(model, { recipe: 'f32' }), temporaryFolder(t));
    const back = await opened(t, openGguf(file!));
    assert.deepEqual(back.config, { ...model.config, kvBForm: 'split' });
    assert.ok(relativeDifference(await logitsOf(model, IDS), await logitsOf(back, IDS)) <= 1e-5);
    const { passed, failures, tensors } = await verify(model, back, { threads: 1, maxTokens: 64 });
    assert.ok(passed, failures.join('\n'));
    assert.ok(tensors.every(({ maxAbsError }) => maxAbsError === 0));
  });
});

describe('a GGUF of arch deepseek2 as a source', () => {
  for (const options of [
    { recipe: 'bf16' },
    { recipe: 'q8_0' },
    { recipe: 'q4_k_m' },
    { recipe: 'mxfp4_moe', pure: true },
  ]) {
    it(`of itself: the same bytes in ${options.recipe}, with nothing rounded again`, async (t) => {
      const folder = temporaryFolder(t);
      const [first] = await writePlan(await plan(await tiny(t), options), path.join(folder, 'first'));
      const back = await opened(t, openGguf(first!));
      const [second] = await writePlan(await plan(back, options), path.join(folder, 'second'));
      assert.ok(readFileSync(first!).equals(readFileSync(second!)));
    });
  }

  it('ends where a scale of the gate exceeds f16', async () => {
    const { tensors, ...rest } = absorbMla.run(memoryModel(SMALL_PLM), { form: 'split' });
    const name = 'model.layers.0.mlp.up_proj.weight';
    const { shape } = tensors.get(name)!;
    const values = new Float32Array(elementCount({ shape })).fill(127 * 16);
    const model = {
      ...rest,
      tensors: new Map([...tensors, [name, memoryTensor(name, shape, values, 'Q8_0')]]),
    };
    const [file] = planGguf(model, { recipe: 'q8_0', arch: 'deepseek2' }).files;
    const gate = file!.tensors.find((tensor) => tensor.name === 'blk.0.ffn_gate.weight')!;
    await assert.rejects(
      storedBytes(gate.source),
      pressFailure(
        'unsupported',
        /^model\.layers\.0\.mlp\.up_proj\.weight: 4096 times a scale of Q8_0 is too large/,
      ),
    );
  });
});

describe('a GGUF of arch deepseek2 for PLM-1.8B', () => {
  const model = absorbMla.run(hollowModel(PLM_1_8B), { form: 'split' });

  it('has the keys that llama.cpp asks for', async () => {
    const { metadata } = await headerOf(planGguf(model, { recipe: 'q8_0', arch: 'deepseek2' }));
    const own = [...metadata].filter(([key]) => /^(deepseek2|plmpress\.relu)/.test(key));
    assert.deepEqual(
      own.map(([key, { type, value }]) => `${key} ${type} ${value}`),
      [
        'deepseek2.block_count u32 32',
        'deepseek2.context_length u32 4096',
        'deepseek2.embedding_length u32 2048',
        'deepseek2.feed_forward_length u32 8192',
        'deepseek2.attention.head_count u32 16',
        'deepseek2.attention.head_count_kv u32 1',
        'deepseek2.rope.freq_base f32 100000',
        `deepseek2.attention.layer_norm_rms_epsilon f32 ${Math.fround(1e-6)}`,
        'deepseek2.leading_dense_block_count u32 32',
        'deepseek2.vocab_size u32 151936',
        'deepseek2.attention.q_lora_rank u32 0',
        'deepseek2.attention.kv_lora_rank u32 512',
        'deepseek2.attention.key_length u32 576',
        'deepseek2.attention.value_length u32 512',
        'deepseek2.attention.key_length_mla u32 192',
        'deepseek2.attention.value_length_mla u32 128',
        'deepseek2.expert_feed_forward_length u32 8192',
        'deepseek2.expert_shared_count u32 0',
        'deepseek2.rope.dimension_count u32 64',
        'plmpress.relu_squared.beta u32 64',
      ],
    );
    assert.equal(metadata.get('general.architecture')!.value, 'deepseek2');
    assert.equal(metadata.get('general.size_label')!.value, '1.8B');
  });

  for (const [recipe, bytes] of [
    ['q8_0', 2_510_413_824],
    ['q4_k_m', 1_482_946_560],
    ['q4_0', 1_409_546_240],
  ] as const) {
    it(`has 354 tensors and ${bytes} bytes in ${recipe}`, () => {
      const [file] = planGguf(model, { recipe, arch: 'deepseek2' }).files;
      assert.deepEqual([file!.tensors.length, file!.bytes - file!.tensors[0]!.offset], [354, bytes]);
    });
  }

  const REFUSED: readonly (readonly [what: string, model: Model, message: RegExp])[] = [
    [
      'an untied head',
      hollowModel({ ...SMALL_PLM, tieWordEmbeddings: false }),
      /tie_word_embeddings: GGUF arch/,
    ],
    [
      'q_lora_rank',
      hollowModel({ ...SMALL_PLM, qLoraRank: 64 }),
      /q_lora_rank: GGUF arch deepseek2 as written/,
    ],
    [
      'a bias of down_proj',
      hollowModel({ ...SMALL_PLM, ffnBias: true }),
      /down_proj_bias: GGUF arch deepseek2 has no place for a bias/,
    ],
    ['widths by layer', hollowModel({ ...SMALL_PLM, intermediateSizes: [512, 256] }), /has one FFN width/],
    [
      '27 layers',
      hollowModel({ ...SMALL_PLM, numHiddenLayers: 27, intermediateSizes: Array<number>(27).fill(512) }),
      /num_hidden_layers: .* with 27 layers is another model to llama\.cpp/,
    ],
    ['kv_b_proj as one matrix', hollowModel(SMALL_PLM), /kv_b_proj: .* run the pass absorb-mla first/],
    [
      'a premultiplied kv_b_proj',
      hollowModel({ ...SMALL_PLM, kvBForm: 'premultiplied' }),
      /kv_b_proj: GGUF arch deepseek2 stores it, but this model has it in other/,
    ],
    [
      'a matrix that is rounded again by the transposition',
      absorbMla.run(memoryModel(SMALL_PLM, { scheme: 'Q8_0' }), { form: 'split' }),
      /attn_k_b\.weight": requantizing from Q8_0 to F16/,
    ],
  ];
  for (const [what, refused, message] of REFUSED) {
    it(`is refused for ${what} (exit 7)`, () => {
      const plan = () => planGguf(refused, { recipe: 'q8_0', arch: 'deepseek2' });
      assert.throws(plan, pressFailure('unsupported', message));
    });
  }

  it('takes the importances of ffn_up for ffn_gate too, and names heads that have none', async () => {
    const imatrix = randomImatrix(SMALL_PLM);
    const small = absorbMla.run(hollowModel(SMALL_PLM), { form: 'split' });
    const { files, notes } = planGguf(small, { recipe: 'q8_0', arch: 'deepseek2', imatrix });
    const importance = (name: string) => files[0]!.tensors.find((tensor) => tensor.name === name)!.importance;
    assert.equal(
      await importance('blk.1.ffn_gate.weight')!.values(),
      imatrix.entries.get('blk.1.ffn_up.weight'),
    );
    assert.match(
      notes.join('\n'),
      /has no importances for blk\.0\.attn_v_b\.weight, blk\.1\.attn_v_b\.weight$/m,
    );
  });

  it('tells of importances by the head that it does not use', () => {
    const { entries, ...rest } = randomImatrix(SMALL_PLM);
    const name = 'blk.0.attn_v_b.weight';
    const byHead = new Float32Array(SMALL_PLM.numAttentionHeads * SMALL_PLM.kvLoraRank);
    const imatrix = { ...rest, entries: new Map([...entries, [name, byHead]]) };
    const small = absorbMla.run(hollowModel(SMALL_PLM), { form: 'split' });
    const { notes } = planGguf(small, { recipe: 'q8_0', arch: 'deepseek2', imatrix });
    assert.ok(
      notes.includes(`plm.imatrix.gguf: ${name} ignored, its importances are per head`),
      notes.join(),
    );
  });

  it('is refused by arch plm where join-kv-b has not run (exit 7)', () => {
    assert.throws(
      () => planGguf(model, { recipe: 'q8_0' }),
      pressFailure(
        'unsupported',
        /^kv_b_proj: GGUF arch plm stores it as one matrix; run the pass join-kv-b first/,
      ),
    );
  });
});

describe('openGguf refuses of arch deepseek2', () => {
  const u32 = (value: number): GgufValue => ({ type: 'u32', value });
  const ROWS: readonly (readonly [
    what: string,
    key: string,
    value: GgufValue | undefined,
    message: RegExp,
  ])[] = [
    ['experts', 'deepseek2.expert_count', u32(64), /expert_count": not supported, got 64, expected 0/],
    ['q_lora_rank', 'deepseek2.attention.q_lora_rank', u32(1536), /q_lora_rank": not supported, got 1536/],
    [
      'sparse layers',
      'deepseek2.leading_dense_block_count',
      u32(1),
      /dense_block_count": not supported, got 1, /,
    ],
    [
      'what plmpress did not write',
      'plmpress.relu_squared.beta',
      undefined,
      /beta": not supported, got "nothing", expected a PLM that plmpress wrote/,
    ],
  ];
  for (const [what, key, value, message] of ROWS) {
    it(what, async (t) => {
      const [parts] = await partsOf(absorbMla.run(hollowModel(SMALL_PLM), { form: 'split' }));
      if (value === undefined) parts!.keys.delete(key);
      else parts!.keys.set(key, value);
      const file = writeFile(temporaryFolder(t), parts!);
      await assert.rejects(openGguf(file), pressFailure('unsupported', message));
    });
  }

  it('a gate that is not a multiple of ffn_up, when it is read', async (t) => {
    const [parts] = await partsOf(absorbMla.run(hollowModel(SMALL_PLM), { form: 'split' }));
    const model = await opened(t, openGguf(writeFile(temporaryFolder(t), parts!)));
    const message =
      /^model\.gguf: tensor "blk\.0\.ffn_gate\.weight": row 0 is another function .* 4096 times/;
    const read = storedBytes(model.tensors.get('model.layers.0.mlp.up_proj.weight')!);
    await assert.rejects(read, pressFailure('invalid-input', message));
  });
});

/** Compares tensors: what llama-quantize does to metadata is held by llama-quantize.test.ts. */
async function assertAsLlamaQuantize(
  t: TestContext,
  model: Model,
  options: GgufOptions,
  fileType: number,
): Promise<void> {
  const folder = temporaryFolder(t);
  const [source] = await writePlan(await plan(model, { recipe: 'f32' }), folder);
  const target = path.join(folder, 'theirs.gguf');
  llamaQuantize(source!, target, fileType);
  const [ours] = await writePlan(await plan(model, options), path.join(folder, 'ours'));
  const [a, b] = [readFileSync(ours!), readFileSync(target)];
  const [mine, theirs] = [await readGguf(memorySource(a)), await readGguf(memorySource(b))];
  const described = ({ tensors }: GgufHeader) => tensors.map(({ name, type, dims }) => [name, type, dims]);
  assert.deepEqual(described(mine), described(theirs));
  for (const [index, { name, offset, bytes }] of mine.tensors.entries()) {
    const other = theirs.tensors[index]!.offset;
    assert.ok(a.subarray(offset, offset + bytes).equals(b.subarray(other, other + bytes)), name);
  }
}
