import assert from 'node:assert/strict';
import { appendFileSync, linkSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { Journal } from '../../src/io/staging/journal.ts';
import { ResumeFile } from '../../src/io/staging/resume-file.ts';
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

describe('a journal', () => {
  /** What a journal of `key` has kept, after `texts` have been appended. */
  async function kept(place: string, key: string, ...texts: string[]): Promise<readonly string[]> {
    const journal = await Journal.open(place, key);
    for (const text of texts) await journal.append(text);
    await journal.close();
    return journal.found;
  }

  it('gives back what was appended, up to the first line that is torn or damaged', async (t) => {
    const place = path.join(temporaryFolder(t), 'journal');
    assert.deepEqual(await kept(place, 'work', 'a', 'b'), []);
    appendFileSync(place, readFileSync(place).subarray(0, 30));
    assert.deepEqual(await kept(place, 'work', 'c'), ['a', 'b']);
    const whole = readFileSync(place, 'latin1');
    writeFileSync(place, whole.replace(' b\n', ' x\n'));
    assert.deepEqual(await kept(place, 'work'), ['a']);
    assert.equal(readFileSync(place, 'latin1'), whole.slice(0, whole.indexOf('\n') + 1));
  });

  it('of other work counts for nothing', async (t) => {
    const place = path.join(temporaryFolder(t), 'journal');
    await kept(place, 'work', 'a');
    assert.deepEqual([await Journal.isOf(place, 'work'), await Journal.isOf(place, 'other')], [true, false]);
    assert.deepEqual(await kept(place, 'other', 'b'), []);
    assert.deepEqual(await kept(place, 'other'), ['b']);
  });

  it('is not written to where the file has another name too', async (t) => {
    const folder = temporaryFolder(t);
    const [place, mine] = [path.join(folder, 'journal'), path.join(folder, 'mine')];
    writeFileSync(mine, 'mine');
    linkSync(mine, place);
    assert.deepEqual(await kept(place, 'work', 'a'), []);
    assert.equal(readFileSync(mine, 'utf8'), 'mine');
  });
});
