import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { hubSourceOf } from '../../src/pipeline/sources/missing-source.ts';
import { openSource } from '../../src/pipeline/sources/open.ts';
import { HubServer } from '../support/fakes/hub-server.ts';
import { pressFailure } from '../support/press-failure.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** A working folder with models in it. */
function workAt(t: TestContext): string {
  const folder = temporaryFolder(t);
  for (const name of ['plm-x', 'other', '.plm-y'])
    mkdirSync(path.join(folder, 'models', name), { recursive: true });
  writeFileSync(path.join(folder, 'models', 'tiny-Q8_0.gguf'), '');
  const before = process.cwd();
  process.chdir(folder);
  t.after(() => process.chdir(before));
  return folder;
}

const HUB = 'https://huggingface.co';
const NONE = 'no such file or folder';

describe('a path where nothing is', () => {
  const CASES: readonly [spec: string, what: string][] = [
    ['models/plm-y', `${NONE} (Did you mean models/plm-x?)`],
    ['models/plm-y/', `${NONE} (Did you mean models/plm-x?)`],
    ['./models/plmx', `${NONE} (Did you mean models/plm-x?)`],
    ['../elsewhere', NONE],
    ['/nowhere/at/all', NONE],
    ['modls/plm-x/sub', NONE],
    ['./modls/plm-x', `${NONE} (Did you mean models/plm-x?)`],
    ['models/org/name', NONE],
    ['models/tiny-Q4_0.gguf', `${NONE} (Did you mean models/tiny-Q8_0.gguf?)`],
    ['models/@dev', NONE],
    ['out/', NONE],
    ['name', NONE],
    ['org/name with a space', NONE],
  ];
  for (const [spec, what] of CASES) {
    it(`${spec} is told at once`, async (t) => {
      workAt(t);
      // A server that nobody must ask.
      const env = { HF_ENDPOINT: 'http://127.0.0.1:1', HOME: '/nonexistent' };
      await assert.rejects(openSource(spec, { env }), (error: Error) => {
        assert.equal(error.message, `${spec}: ${what}`);
        return pressFailure('local-io', /./)(error);
      });
    });
  }
});

describe('what may be a path or an id', () => {
  it('is asked of the Hub where no folder is here, and both readings are told', async (t) => {
    workAt(t);
    const server = await HubServer.start(t);
    const env = { ...server.env('/nonexistent'), HF_HUB_CACHE: '/nonexistent' };
    await assert.rejects(
      openSource('modls/plm-x', { env }),
      pressFailure(
        'network',
        /^modls\/plm-x: no such path here \(Did you mean models\/plm-x\?\), and the repository is not on the Hub, or HF_TOKEN may not see it \(404\)/,
      ),
    );
    await assert.rejects(
      openSource('org/name', { env: { ...env, HF_ENDPOINT: 'http://127.0.0.1:1' } }),
      pressFailure(
        'network',
        /^org\/name: no such path here, and the repository cannot be reached: bad port$/,
      ),
    );
    await assert.rejects(
      openSource('hf://org/name', { env }),
      pressFailure('network', /^org\/name@main: is not on the Hub/),
    );
  });

  it('is one on the Hub by its form', async (t) => {
    workAt(t);
    const main = { revision: 'main' };
    assert.deepEqual(await hubSourceOf('org/name', HUB), { repository: 'org/name', ...main });
    const page = await hubSourceOf('https://hub.example/org/name', 'https://hub.example');
    assert.deepEqual(page, { repository: 'org/name', ...main });
    await assert.rejects(hubSourceOf('datasets/org/name', HUB), pressFailure('usage', /is a data set/));
  });
});
