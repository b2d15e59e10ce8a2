import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { openHfFolder } from '../../formats/hf/import.ts';
import type { ProgressEvent } from '../../src/core/jobs/progress.ts';
import { closeModel } from '../../src/core/model.ts';
import { calibrate } from '../../src/pipeline/calibrate.ts';
import { CalibrationKeeper } from '../../src/pipeline/calibration-keeper.ts';
import { SMALL_PLM } from '../support/builders/hollow-model.ts';
import { memoryModel } from '../support/builders/memory-model.ts';
import { writeRandomCheckpoint } from '../support/builders/random-checkpoint.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

it('a limit of tokens is one of all texts together', async (t) => {
  const text = 'Call me Ishmael. ';
  const { tokens } = await calibrate({
    model: memoryModel(SMALL_PLM),
    source: 'memory',
    output: path.join(temporaryFolder(t), 'x'),
    threads: 1,
    texts: ['a', 'b'].map((name) => ({ name, text })),
    maxTokens: text.length + 3,
  });
  assert.equal(tokens, text.length + 3);
});

describe('calibration that is interrupted', () => {
  it('goes on only with the same model, texts and options', async (t) => {
    const folder = temporaryFolder(t);
    const output = path.join(folder, 'stats.gguf');
    const models = await Promise.all(
      [1, 2].map(async (seed) => {
        const source = path.join(folder, `${seed}`);
        writeRandomCheckpoint(source, { seed });
        const model = await openHfFolder(source);
        t.after(() => closeModel(model));
        return model;
      }),
    );
    const keeperOf = (model: number, inputs: string) =>
      new CalibrationKeeper({ model: models[model]!, output, inputs }, 0);
    const keeper = keeperOf(0, 'a');
    await keeper.reading(0).chunkDone([Uint8Array.of(5)], 4);
    await keeper.reading(1).chunkDone([Uint8Array.of(6)], 2);
    assert.equal(
      await keeperOf(0, 'a')
        .reading(0)
        .load([new Uint8Array(1)]),
      4,
    );
    const buffer = new Uint8Array(1);
    assert.equal(await keeperOf(0, 'a').reading(1).load([buffer]), 2);
    assert.equal(buffer[0], 6);
    assert.equal(
      await keeperOf(0, 'b')
        .reading(0)
        .load([new Uint8Array(1)]),
      0,
    );
    assert.equal(
      await keeperOf(1, 'a')
        .reading(0)
        .load([new Uint8Array(1)]),
      0,
    );
    assert.equal(await keeperOf(1, 'b').hasKept(), true);
    await keeperOf(0, 'b').remove();
    assert.equal(await keeperOf(0, 'a').hasKept(), false);
    assert.deepEqual(readdirSync(folder), ['1', '2']);
  });

  it('takes up what a run has kept, and leaves only the output', async (t) => {
    const folder = temporaryFolder(t);
    const source = path.join(folder, 'model');
    writeRandomCheckpoint(source);
    const model = await openHfFolder(source);
    t.after(() => closeModel(model));
    const texts = [{ name: 'a', text: 'Call me Ishmael. '.repeat(20) }];
    const run = (name: string, more: object = {}) =>
      calibrate({ model, source, texts, output: path.join(folder, 'out', name), contextLength: 16, ...more });
    const expected = await run('1');
    const resumed = await run('2', { resume: true });
    assert.equal(resumed.sha256, expected.sha256);
    const controller = new AbortController();
    const notes: string[] = [];
    const progress = (event: ProgressEvent) => {
      if (event.kind === 'note') notes.push(event.message);
      controller.abort();
    };
    await assert.rejects(run('3', { resume: true, signal: controller.signal, progress }));
    assert.deepEqual(readdirSync(path.join(folder, 'out')).sort(), ['1', '2']);
    assert.deepEqual(notes, []);

    writeFileSync(path.join(folder, 'out', '.3.resume-0'), 'kept');
    await assert.rejects(run('3', { resume: true, signal: controller.signal, progress }));
    assert.deepEqual(notes, ['the sums so far are kept: the same command continues with them']);
    // What nobody goes on with does not stay beside the output.
    await run('3');
    assert.deepEqual(readdirSync(path.join(folder, 'out')).sort(), ['1', '2', '3']);
  });
});
