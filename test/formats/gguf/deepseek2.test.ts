import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { ggufPasses } from '../../../formats/gguf/architecture.ts';
import { type GgufOptions, planGguf } from '../../../formats/gguf/export.ts';
import { openGguf } from '../../../formats/gguf/import.ts';
import { openHfFolder } from '../../../formats/hf/import.ts';
import { kvCacheElements } from '../../../src/core/config.ts';
import type { ExportPlan } from '../../../src/core/export-plan.ts';
import { closeModel, type Model } from '../../../src/core/model.ts';
import { passNamed } from '../../../src/passes/index.ts';
import { PlmRuntime } from '../../../src/runtime/plm-runtime.ts';
import { openInLlama } from '../../support/llama.ts';
import { fixture } from '../../support/paths.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { writePlan } from '../../support/write-plan.ts';

const IDS: readonly number[] = JSON.parse(readFileSync(fixture('plm-tiny', 'golden.json'), 'utf8')).ids;

/** Cells of llama.cpp's cache in these tests. */
const CONTEXT = 256;

async function opened(t: TestContext, open: Promise<Model>): Promise<Model> {
  const model = await open;
  t.after(() => closeModel(model));
  return model;
}

const tiny = (t: TestContext) => opened(t, openHfFolder(fixture('plm-tiny')));

function plan(model: Model, options: GgufOptions): ExportPlan {
  const prepared = ggufPasses(model, 'deepseek2').reduce((m, name) => passNamed(name)!.run(m), model);
  return planGguf(prepared, { ...options, arch: 'deepseek2' });
}

async function ourLogits(model: Model): Promise<Float32Array[]> {
  const runtime = await PlmRuntime.open(model, { contextLength: CONTEXT, threads: 1 });
  try {
    const rows: Float32Array[] = [];
    for await (const row of runtime.logits(IDS)) rows.push(row.slice());
    return rows;
  } finally {
    await runtime.close();
  }
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

/**
 * Greatest mean KL divergence of llama.cpp's distributions from those of our runtime on the checkpoint. For f32 what
 * remains is the cache of f16 and, with flash attention, sums in f16 (measured XX); for blocks the rounding of
 * weights and activations (measured XX and XX).
 */
const MAX_KL = { f32: 1e-4, q8_0: 1e-2, q4_k_m: 5e-2 } as const;

describe('llama.cpp runs plm-tiny as arch deepseek2', () => {
  for (const recipe of ['f32', 'q8_0', 'q4_k_m'] as const) {
    for (const flashAttention of [false, true]) {
      it(`from gguf:${recipe} with a latent cache and flash attention ${flashAttention ? 'on' : 'off'}`, async (t) => {
        const model = await tiny(t);
        const [file] = await writePlan(plan(model, { recipe }), temporaryFolder(t));
        const llama = await openInLlama(file!, { contextSize: CONTEXT, flashAttention });
        t.after(() => llama.dispose());
        const kl = meanDivergence(await ourLogits(model), await llama.logits(IDS));
        t.diagnostic(`${IDS.length} positions, mean KL ${kl.toExponential(2)}`);
        t.diagnostic(llama.log);
        assert.ok(IDS.length >= 128 && kl <= MAX_KL[recipe], `mean KL ${kl}`);
      });
    }
  }
});
void path;
void kvCacheElements;
