import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { closeModel } from '../../../src/core/model.ts';
import { convertPart } from '../../../src/pipeline/parts/convert-part.ts';
import { parsePart } from '../../../src/pipeline/parts/record.ts';
import { tensorsOf } from '../../../src/pipeline/parts/share.ts';
import { planTarget } from '../../../src/pipeline/planning/target.ts';
import { openSource } from '../../../src/pipeline/sources/open.ts';
import { BLOCKS_OF_32, writeRandomCheckpoint } from '../../support/builders/random-checkpoint.ts';
import { failEveryCall, NO_FAULTS } from '../../support/fakes/faults.ts';
import { treeDigests } from '../../support/oracles/digests.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const driver = fileURLToPath(new URL('../../support/drivers/convert-driver.js', import.meta.url));
const SHARE = { number: 1, of: 2 };
const TARGET = 'gguf:q8_0';

/** Writes a part here, and returns where each of its tensors lies among the rows. */
async function writePart(source: string, output: string) {
  const model = await openSource(source);
  try {
    const targets = [await planTarget(model, TARGET)];
    await convertPart({ model, source, targets, output, threads: 1, share: SHARE });
    return tensorsOf(targets, SHARE).map(({ offset, bytes }) => ({ offset, bytes }));
  } finally {
    await closeModel(model);
  }
}

test('SIGKILL at any sync, rename or removal: a record never stands beside other rows than its own', {
  skip: NO_FAULTS,
}, async (t) => {
  const folder = temporaryFolder(t);
  const [old, fresh, output] = ['old', 'fresh', 'out'].map((name) => path.join(folder, name));
  const sources = [3, 2].map((seed) => {
    const source = path.join(folder, `${seed}`, 'plm');
    mkdirSync(path.dirname(source));
    writeRandomCheckpoint(source, { config: { ...BLOCKS_OF_32, num_hidden_layers: 1 }, seed });
    return source;
  });
  await writePart(sources[0]!, old!);
  const places = await writePart(sources[1]!, fresh!);
  Object.assign(process.env, { FORCE: '1', SPLIT: '1' });
  t.after(() => {
    delete process.env.FORCE;
    delete process.env.SPLIT;
  });
  for (const call of ['sync', 'rename', 'remove'] as const) {
    const calls = await failEveryCall(
      [driver, sources[1]!, output!, TARGET],
      { call, action: 'signal=KILL' },
      {
        before: () => {
          rmSync(output!, { recursive: true, force: true });
          cpSync(old!, output!, { recursive: true });
        },
        after: async () => {
          const record = path.join(output!, 'plm-part-1-of-2.json');
          if (!existsSync(record)) return;
          const rows = readFileSync(path.join(output!, 'plm-part-1-of-2.bin'));
          const { tensors } = parsePart(readFileSync(record, 'utf8'), 'record');
          for (const [index, { offset, bytes }] of places.entries()) {
            const digest = createHash('sha256')
              .update(rows.subarray(offset, offset + bytes))
              .digest('hex');
            assert.equal(digest, tensors[index]!.sha256);
          }
        },
      },
    );
    assert.ok(calls >= 1);
    assert.deepEqual(treeDigests(output!), treeDigests(fresh!), 'the run without a fault');
  }
});
