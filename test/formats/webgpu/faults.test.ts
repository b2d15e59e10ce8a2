import assert from 'node:assert/strict';
import { cpSync, existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { checkBundleFiles, openBundle } from '../../../formats/webgpu/import/open.ts';
import { closeModel } from '../../../src/core/model.ts';
import { BLOCKS_OF_32, writeRandomCheckpoint } from '../../support/builders/random-checkpoint.ts';
import { failEveryCall, NO_FAULTS, runWithFault, type Script } from '../../support/fakes/faults.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const driver = fileURLToPath(new URL('../../support/drivers/convert-driver.js', import.meta.url));
const ONE_LAYER = { ...BLOCKS_OF_32, num_hidden_layers: 1, vocab_size: 2048 };
const SHARD_SIZE = '60000';

/** No call of this number is made, so that the run is one without a fault. */
const NEVER = 60_000;

test('a manifest of a bundle is true whenever the run that replaces it is killed', {
  skip: NO_FAULTS,
}, async (t) => {
  const folder = temporaryFolder(t);
  const script = (source: string, output: string): Script => {
    const [from, to] = [path.join(folder, source), path.join(folder, output)];
    return [driver, from, to, 'webgpu:q4', SHARD_SIZE];
  };
  writeRandomCheckpoint(path.join(folder, 'a'), { config: ONE_LAYER, seed: 2 });
  writeRandomCheckpoint(path.join(folder, 'b'), { config: ONE_LAYER, seed: 3 });
  process.env.FORCE = '1';
  t.after(() => delete process.env.FORCE);
  const { status } = await runWithFault(script('a', 'old'), { call: 'rename', action: 'signal=KILL' }, NEVER);
  assert.equal(status, 0);
  const output = path.join(folder, 'new');
  const bundle = path.join(output, 'webgpu-q4');
  let withManifest = 0;
  for (const call of ['rename', 'remove'] as const) {
    await failEveryCall(
      script('b', 'new'),
      { call, action: 'signal=KILL' },
      {
        before: () => {
          rmSync(output, { recursive: true, force: true });
          cpSync(path.join(folder, 'old'), output, { recursive: true });
        },
        after: async () => {
          if (!existsSync(path.join(bundle, 'manifest.json'))) return;
          withManifest++;
          const model = await openBundle(bundle);
          try {
            await checkBundleFiles(model);
          } finally {
            await closeModel(model);
          }
        },
      },
    );
  }
  assert.ok(withManifest > 1);
});
