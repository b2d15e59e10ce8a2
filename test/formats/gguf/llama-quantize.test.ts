import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { planGguf } from '../../../formats/gguf/export.ts';
import { readGguf } from '../../../formats/gguf/reader.ts';
import { RECIPES } from '../../../formats/gguf/recipes.ts';
import { openHfFolder } from '../../../formats/hf/import.ts';
import type { ExportPlan } from '../../../src/core/export-plan.ts';
import { closeModel } from '../../../src/core/model.ts';
import { canEncode } from '../../../src/schemes/index.ts';
import { headerOf } from '../../support/hollow-gguf.ts';
import { llamaQuantize } from '../../support/llama-quantize.ts';
import { fixture } from '../../support/paths.ts';
import { memorySource } from '../../support/raw-gguf.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { writePlan } from '../../support/write-plan.ts';

/** llama-quantize sets these anew, which moves them to the end. */
const MOVED = ['general.quantization_version', 'general.file_type'];

const isWritable = (plan: ExportPlan) =>
  plan.files.every(({ tensors }) => tensors.every(({ scheme }) => canEncode(scheme)));

describe('a GGUF of plm-tiny', () => {
  for (const { name, fileType, needsImatrix } of RECIPES) {
    // Nothing is left for llama-quantize to do.
    if (name === 'f32' || needsImatrix) continue;
    it(`${name} has the metadata, order, types and bytes that llama-quantize makes of our f32`, async (t) => {
      const folder = temporaryFolder(t);
      const model = await openHfFolder(fixture('plm-tiny'));
      t.after(() => closeModel(model));
      const [source] = await writePlan(planGguf(model, { recipe: 'f32' }), folder);
      const theirs = path.join(folder, 'theirs.gguf');
      llamaQuantize(source!, theirs, fileType);

      const plan = planGguf(model, { recipe: name });
      const mine = await headerOf(plan);
      const b = readFileSync(theirs);
      const golden = await readGguf(memorySource(b));
      const keys = [...mine.metadata].filter(([key]) => !MOVED.includes(key));
      const moved = MOVED.map((key) => [key, mine.metadata.get(key)]);
      assert.deepEqual([...golden.metadata], [...keys, ...moved]);
      assert.deepEqual(mine.tensors, golden.tensors);
      if (!isWritable(plan)) return t.diagnostic('types only: a scheme of it cannot be written yet');

      const a = readFileSync((await writePlan(plan, folder))[0]!);
      for (const { name, offset, bytes } of mine.tensors) {
        assert.ok(a.subarray(offset, offset + bytes).equals(b.subarray(offset, offset + bytes)), name);
      }
      assert.equal(a.length, b.length);
    });
  }
});
