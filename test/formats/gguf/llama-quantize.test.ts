import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { readGguf } from '../../../formats/gguf/container/reader.ts';
import { planGguf } from '../../../formats/gguf/export.ts';
import { RECIPES } from '../../../formats/gguf/recipes.ts';
import { openHfFolder } from '../../../formats/hf/import.ts';
import { closeModel } from '../../../src/core/model.ts';
import { headerOf } from '../../support/builders/hollow-gguf.ts';
import { randomImatrix } from '../../support/builders/imatrix-files.ts';
import { BLOCKS_OF_256, writeRandomCheckpoint } from '../../support/builders/random-checkpoint.ts';
import { memorySource } from '../../support/builders/raw-gguf.ts';
import { writePlan } from '../../support/builders/write-plan.ts';
import { llamaQuantize } from '../../support/oracles/llama-quantize.ts';
import { fixture } from '../../support/paths.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/** llama-quantize sets these anew, which moves them to the end. */
const MOVED = ['general.quantization_version', 'general.file_type'];

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
      const a = readFileSync((await writePlan(plan, folder))[0]!);
      for (const { name, offset, bytes } of mine.tensors) {
        assert.ok(a.subarray(offset, offset + bytes).equals(b.subarray(offset, offset + bytes)), name);
      }
      assert.equal(a.length, b.length);
    });
  }
});

describe('with importances, a GGUF has the bytes that llama-quantize makes', () => {
  for (const { name, fileType } of RECIPES) {
    if (name === 'f32') continue;
    it(`in ${name}`, async (t) => {
      const folder = temporaryFolder(t);
      writeRandomCheckpoint(path.join(folder, 'random'), { config: BLOCKS_OF_256 });
      const model = await openHfFolder(path.join(folder, 'random'));
      t.after(() => closeModel(model));
      const imatrix = randomImatrix(model.config);
      const [source] = await writePlan(planGguf(model, { recipe: 'f32' }), folder);
      const theirs = path.join(folder, 'theirs.gguf');
      llamaQuantize(source!, theirs, fileType, { imatrix: imatrix.entries });

      const plan = planGguf(model, { recipe: name, imatrix });
      const [ours] = await writePlan(plan, path.join(folder, 'ours'));
      const [a, b] = [readFileSync(ours!), readFileSync(theirs)];
      const [mine, golden] = [await readGguf(memorySource(a)), await readGguf(memorySource(b))];
      for (const [index, { name, offset, bytes }] of mine.tensors.entries()) {
        const other = golden.tensors[index]!;
        assert.deepEqual([name, bytes], [other.name, other.bytes]);
        const same = a
          .subarray(offset, offset + bytes)
          .equals(b.subarray(other.offset, other.offset + bytes));
        assert.ok(same, name);
      }
    });
  }
});
