import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, describe, it } from 'node:test';
import { openHfFolder } from '../../formats/hf/import.ts';
import { closeModel } from '../../src/core/model.ts';
import { PlmRuntime } from '../../src/runtime/plm-runtime.ts';
import { argmax } from '../../src/runtime/sampling/sampler.ts';
import { usePlainKernels } from '../support/drivers/plain-kernels.ts';
import { fixture } from '../support/paths.ts';

interface Golden {
  readonly ids: readonly number[];
  /** f64 arithmetic on the stored weights. */
  readonly logits: readonly (readonly number[])[];
}

/** The promise of the reference runtime. Measured: 1.2e-5, the rounding of f32 sums. */
const MAX_DIFFERENCE = 2e-4;

const CASES = [
  { attention: 'expanded', threads: 1 },
  { attention: 'expanded', threads: 2 },
  { attention: 'latent', threads: 1 },
  { attention: 'latent', threads: 2 },
  { attention: 'latent', threads: 1, ffn: 'sparse' },
  { attention: 'latent', threads: 2, ffn: 'sparse' },
] as const;

describe('plm-tiny against its golden logits', async () => {
  const golden: Golden = JSON.parse(readFileSync(fixture('plm-tiny', 'golden.json'), 'utf8'));
  const model = await openHfFolder(fixture('plm-tiny'));
  after(() => closeModel(model));

  const assertGolden = async (options: (typeof CASES)[number]) => {
    const runtime = await PlmRuntime.open(model, { contextLength: golden.ids.length, ...options });
    let position = 0;
    for await (const row of runtime.logits(golden.ids)) {
      const expected = golden.logits[position]!;
      assert.equal(row.length, expected.length);
      assert.equal(argmax(row), argmax(expected), `argmax at position ${position}`);
      const difference = expected.reduce((max, e, id) => Math.max(max, Math.abs(e - row[id]!)), 0);
      assert.ok(difference <= MAX_DIFFERENCE, `difference ${difference} at position ${position}`);
      position++;
    }
    await runtime.close();
    assert.equal(position, golden.ids.length);
  };

  for (const options of CASES) {
    const name = Object.values(options).join(', ');
    it(name, () => assertGolden(options));
    if (options.threads > 1) continue;
    it(`${name}, plain kernels`, async (t) => {
      usePlainKernels(t);
      await assertGolden(options);
    });
  }
});
