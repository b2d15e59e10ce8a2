import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { ProgressEvent } from '../../src/core/jobs/progress.ts';
import { calibrate, MOMENT_ROLES } from '../../src/pipeline/calibration/calibrate.ts';
import { openLiveStatistics } from '../../src/pipeline/calibration/open-live.ts';
import { reproduce } from '../../src/pipeline/reproduce.ts';
import { withSource } from '../../src/pipeline/sources/open.ts';
import { press } from '../../src/press/press.ts';
import type { PressRequest } from '../../src/press/request.ts';
import { writeRandomCheckpoint } from '../support/builders/random-checkpoint.ts';
import { pressFailure } from '../support/press-failure.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const TARGETS = ['gguf:q4_k_m', 'webgpu:q4'];
const RECORD = 'plmpress.json';

function workplace(t: TestContext) {
  const folder = temporaryFolder(t);
  const source = path.join(folder, 'model');
  writeRandomCheckpoint(source);
  const text = path.join(folder, 'prose.txt');
  writeFileSync(text, 'Call me Ishmael. Some years ago, never mind how long precisely. '.repeat(9));
  const best = (output: string, more: Partial<PressRequest> = {}): PressRequest => ({
    source,
    targets: TARGETS,
    output: path.join(folder, output),
    options: { quality: 'best' },
    texts: [text],
    ...more,
  });
  return { folder, source, text, best };
}

const sha256Of = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');

/** SHA-256 by name, without the record, which names a file or a text. */
function hashesOf(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath ?? entry.path, entry.name)));
  const files = names.filter((name) => name !== RECORD).sort();
  return Object.fromEntries(files.map((name) => [name, sha256Of(path.join(folder, name))]));
}

describe('statistics that are measured during a conversion', () => {
  it('give the bytes that those of a file from the same text give', async (t) => {
    const { folder, source, text, best } = workplace(t);
    const statistics = path.join(folder, 'stats.gguf');
    await withSource(source, (model) =>
      calibrate({
        model,
        source,
        texts: [{ name: text, text: readFileSync(text, 'utf8') }],
        output: statistics,
        moments: MOMENT_ROLES,
      }),
    );
    await press(best('live', { threads: 2 }));
    const { texts: _, ...stored } = best('stored', { statistics, threads: 1 });
    await press(stored);
    const [live, expected] = ['live', 'stored'].map((name) => hashesOf(path.join(folder, name)));
    assert.deepEqual(live, expected);
  });

  it('go on where an interrupted conversion was', async (t) => {
    const { folder, best } = workplace(t);
    await press(best('whole'));
    const controller = new AbortController();
    const stages: string[] = [];
    const progress = (event: ProgressEvent) => {
      if (event.kind === 'stage') stages.push(event.stage);
      if (event.kind === 'stage' && event.stage.startsWith('layer 2 of 2')) controller.abort();
    };
    const resumed = best('resumed', { resume: true });
    await assert.rejects(press(resumed, { progress, signal: controller.signal }));
    stages.length = 0;
    await press(resumed, { progress: (event) => event.kind === 'stage' && stages.push(event.stage) });
    assert.ok(!stages.some((stage) => stage.startsWith('layer 1 ')), `${stages}`);
    assert.ok(stages.some((stage) => stage.startsWith('layer 2 ')));
    assert.deepEqual(hashesOf(path.join(folder, 'resumed')), hashesOf(path.join(folder, 'whole')));
  });

  it('are told in the record, by which the bytes are made again', async (t) => {
    const { folder, source, text, best } = workplace(t);
    await press(best('out', { calibrationTokens: 200 }));
    const manifest = path.join(folder, 'out');
    const record = JSON.parse(readFileSync(path.join(manifest, RECORD), 'utf8'));
    const { calibration, calibrationTokens, calibrationSha256 } = record.artifacts[0].options;
    assert.deepEqual([calibration, calibrationTokens], ['prose.txt', 200]);
    const gguf = readFileSync(path.join(manifest, record.artifacts[0].files[0]));
    assert.ok(gguf.includes(`prose.txt ${calibrationSha256}`));
    const again = await reproduce({ manifest, from: source, texts: [text] });
    assert.ok(again.every(({ same }) => same));
    writeFileSync(text, 'Another text altogether. '.repeat(20));
    await assert.rejects(
      reproduce({ manifest, from: source, texts: [text] }),
      pressFailure('verification', /prose\.txt: is not the text that gguf:q4_k_m was made with/),
    );
  });

  it('spill hidden states to a file that goes, and are the same', async (t) => {
    const { folder, source, text } = workplace(t);
    const read = (maxMemory: number) =>
      withSource(source, async (model) => {
        const live = await openLiveStatistics(
          model,
          { files: [text] },
          { output: folder, maxMemory, threads: 1 },
        );
        try {
          const { inputs } = live.statistics;
          const found: ArrayLike<number>[] = [];
          for (const matrix of ['blk.0.ffn_down.weight', 'blk.1.ffn_down.weight', 'token_embd.weight']) {
            const { meanSquares, moments } = inputs.get(matrix)!;
            found.push(await meanSquares(), await moments!.triangle([7, 0, 3]));
          }
          return { found, bytes: live.memoryBytes, disk: live.diskBytes };
        } finally {
          await live.close();
        }
      });
    const [resident, spilled] = [await read(1e9), await read(1e5)];
    assert.deepEqual(spilled.found, resident.found);
    assert.equal(resident.bytes - spilled.bytes, spilled.disk);
    assert.ok(spilled.disk > 50_000 && resident.disk === 0);
    assert.deepEqual(readdirSync(folder).sort(), ['model', 'prose.txt']);
  });

  it('cost nothing in a dry run, which predicts what they take', async (t) => {
    const { folder, best } = workplace(t);
    const { cost } = await press(best('dry', { dryRun: true, threads: 1 }));
    assert.ok(cost !== undefined && cost.tokens > 100 && cost.seconds.text > 0 && cost.memory > 0);
    assert.deepEqual(readdirSync(folder).sort(), ['model', 'prose.txt']);
  });

  it('are refused where weights would be read too often, and where a text would not be read', async (t) => {
    const { best } = workplace(t);
    await assert.rejects(
      press(best('x', { targetSize: 1e6 })),
      pressFailure('usage', /--target-size .* needs/),
    );
    const fast = { ...best('x'), options: { quality: 'fast' as const } };
    await assert.rejects(press(fast), pressFailure('usage', /--text does nothing/));
    rmSync(best('x').output, { recursive: true, force: true });
  });
});
