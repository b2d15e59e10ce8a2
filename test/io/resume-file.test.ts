import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { ResumeFile } from '../../src/io/resume-file.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const STATE = [Uint8Array.of(1, 2, 0, 3), new Uint8Array(0), Uint8Array.of(9)];
const blank = () => STATE.map(({ length }) => new Uint8Array(length));

describe('a file to go on from', () => {
  it('gives back the step and the state, the last that was saved', async (t) => {
    const folder = temporaryFolder(t);
    const file = new ResumeFile(path.join(folder, '.x'));
    assert.equal(await file.load('work', blank()), 0);
    await file.save('work', 3, blank());
    await file.save('work', 7, STATE);
    const buffers = blank();
    assert.equal(await file.load('work', buffers), 7);
    assert.deepEqual(buffers, STATE);
    assert.deepEqual(readdirSync(folder), ['.x']);
    await file.remove();
    await file.remove();
    assert.deepEqual(readdirSync(folder), []);
  });

  it('begins anew where it is of other work, of another size, or damaged anywhere', async (t) => {
    const place = path.join(temporaryFolder(t), '.x');
    const file = new ResumeFile(place);
    await file.save('work', 7, STATE);
    assert.equal(await file.load('other', blank()), 0);
    assert.equal(await file.load('work', [...blank(), new Uint8Array(1)]), 0);
    const whole = readFileSync(place);
    for (let at = 0; at < whole.length; at++) {
      const damaged = Buffer.from(whole);
      damaged[at]! ^= 4;
      writeFileSync(place, damaged);
      const buffers = blank();
      assert.equal(await file.load('work', buffers), 0, `byte ${at}`);
      assert.deepEqual(buffers, blank());
      writeFileSync(place, whole.subarray(0, at));
      assert.equal(await file.load('work', blank()), 0, `${at} bytes`);
    }
  });

  it('tells where it cannot be written or read', async (t) => {
    const folder = temporaryFolder(t);
    await assert.rejects(new ResumeFile(path.join(folder, 'no', 'x')).save('work', 1, STATE), {
      failure: 'local-io',
    });
    await assert.rejects(new ResumeFile(folder).load('work', blank()), { failure: 'local-io' });
  });
});
