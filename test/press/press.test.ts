import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { it } from 'node:test';
import { press } from '../../src/press/press.ts';
import { fixture } from '../support/paths.ts';
import { pressFailure } from '../support/press-failure.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

it('a report that nothing renders is refused before anything is written', async (t) => {
  const folder = temporaryFolder(t);
  const reports = [path.join(folder, 'report.pdf')];
  const request = {
    source: fixture('plm-tiny'),
    targets: ['gguf:q8_0'],
    output: folder,
    verify: true,
    reports,
  };
  await assert.rejects(
    press(request),
    pressFailure('usage', /report\.pdf, expected a file named \.html or \.md$/),
  );
  assert.deepEqual(readdirSync(folder), []);
});
