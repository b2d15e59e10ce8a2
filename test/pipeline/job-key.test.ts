import assert from 'node:assert/strict';
import test from 'node:test';
import { planTargets } from '../../src/pipeline/planning/target.ts';
import type { TargetOptions } from '../../src/pipeline/planning/target-options.ts';
import { jobKey } from '../../src/pipeline/resume/job-key.ts';
import { hollowModel, SMALL_PLM } from '../support/builders/hollow-model.ts';
import { randomImatrix } from '../support/builders/imatrix-files.ts';

test('a conversion is another one with other options or passes, though the plan be the same', async () => {
  const model = hollowModel(SMALL_PLM);
  const imatrix = randomImatrix(SMALL_PLM);
  const key = async (options: TargetOptions) =>
    jobKey(model, await planTargets(model, ['gguf:q8_0'], options));
  const known = await key({ imatrix });
  assert.equal(await key({ imatrix }), known);
  assert.notEqual(await key({ imatrix: { ...imatrix, sha256: '0'.repeat(64) } }), known);
  const [target] = await planTargets(model, ['gguf:q8_0']);
  const keys = ['scale-ffn:alpha=0.25', 'scale-ffn:alpha=0.5'].map((pass) =>
    jobKey(model, [{ ...target!, passes: [pass] }]),
  );
  assert.notEqual(keys[0], keys[1]);
});

test('a conversion is another one of another source', async () => {
  const file = { name: 'model.safetensors', bytes: 3, sha256: () => assert.fail(), close: async () => {} };
  const keys = await Promise.all(
    [
      {},
      { name: 'other' },
      { format: 'gguf' as const },
      { files: [file] },
      { files: [{ ...file, bytes: 4 }] },
    ].map(async (change) => {
      const model = hollowModel(SMALL_PLM, change);
      return jobKey(model, await planTargets(hollowModel(SMALL_PLM), ['gguf:q8_0']));
    }),
  );
  assert.equal(new Set(keys).size, keys.length);
});
