import assert from 'node:assert/strict';
import { appendFileSync, existsSync, readdirSync, rmSync, truncateSync } from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { openHfFolder } from '../../formats/hf/import.ts';
import type { ProgressEvent } from '../../src/core/jobs/progress.ts';
import { closeModel } from '../../src/core/model.ts';
import { calibrate, MOMENT_ROLES } from '../../src/pipeline/calibration/calibrate.ts';
import { readImatrix } from '../../src/pipeline/sources/read-imatrix.ts';
import { SMALL_PLM, SMALL_TOKENIZER } from '../support/builders/hollow-model.ts';
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

it('text of special tokens is the tokens in a chat only, where no bos is added', async (t) => {
  const output = path.join(temporaryFolder(t), 'x');
  const text = 'a<|im_end|>';
  const { tokens, chunks } = await calibrate({
    model: { ...memoryModel(SMALL_PLM), tokenizer: { ...SMALL_TOKENIZER, addBosToken: true } },
    output,
    threads: 1,
    texts: [
      { name: 'chat', text, chat: true },
      { name: 'plain', text },
      { name: 'chat', text, chat: true },
    ],
  });
  assert.equal(tokens, 2 + (1 + text.length) + 2);
  assert.equal(chunks, 3);
  assert.deepEqual((await readImatrix(output)).datasets, ['chat', 'plain']);
});

describe('calibration that is interrupted', () => {
  const texts = [{ name: 'a', text: 'Call me Ishmael. '.repeat(20) }];

  async function opened(t: TestContext, seed = 1) {
    const folder = temporaryFolder(t);
    const source = path.join(folder, 'model');
    writeRandomCheckpoint(source, { seed });
    const model = await openHfFolder(source);
    t.after(() => closeModel(model));
    const output = path.join(folder, 'out', 'stats.gguf');
    const common = { model, source, texts, output, contextLength: 16, moments: MOMENT_ROLES };
    return { output, staging: path.join(folder, 'out', '.plmpress-resume-stats.gguf'), common };
  }

  type Common = Awaited<ReturnType<typeof opened>>['common'];

  /** Ends a run at the first tokens of a layer; returns its notes. */
  async function endedIn(layer: number, common: Common): Promise<string[]> {
    const controller = new AbortController();
    const notes: string[] = [];
    const progress = (event: ProgressEvent) => {
      if (event.kind === 'note') notes.push(event.message);
      if (event.kind === 'advance' && event.item?.startsWith(`layer ${layer} `)) controller.abort();
    };
    await assert.rejects(calibrate({ ...common, resume: true, progress, signal: controller.signal }));
    return notes;
  }

  /** Runs to the end, and returns the layers that tokens went through. */
  async function resumed(common: Common) {
    const layers = new Set<string>();
    const progress = (event: ProgressEvent) => {
      if (event.kind === 'advance') layers.add(event.item!);
    };
    const { sha256, firingRates } = await calibrate({ ...common, resume: true, progress });
    return { sha256, firingRates, layers: [...layers] };
  }

  const expectedOf = ({ output, ...common }: Common) =>
    calibrate({ ...common, output: path.join(path.dirname(output), '..', 'whole', 'stats.gguf') });

  it('goes on with the layer that it was at, and leaves only the output', async (t) => {
    const { common, output, staging } = await opened(t);
    const expected = await expectedOf(common);
    const notes = await endedIn(2, common);
    assert.deepEqual(notes, [
      'finished layers are kept in .plmpress-resume-stats.gguf: the same command continues with them',
    ]);
    assert.ok(existsSync(staging));
    const found = await resumed(common);
    assert.equal(found.sha256, expected.sha256);
    assert.deepEqual(found.firingRates, expected.firingRates);
    assert.ok(!found.layers.includes('layer 1 of 2'), `${found.layers}`);
    assert.ok(found.layers.includes('layer 2 of 2'));
    assert.deepEqual(readdirSync(path.dirname(output)), ['stats.gguf']);
  });

  it('keeps nothing before the first layer is done', async (t) => {
    const { common, output } = await opened(t);
    assert.deepEqual(await endedIn(1, common), []);
    assert.deepEqual(readdirSync(path.dirname(path.dirname(output))), ['model']);
  });

  const DAMAGES: Readonly<Record<string, (staging: string) => void>> = {
    'hidden states are damaged': (staging) => appendFileSync(path.join(staging, 'states-1'), 'x'),
    'hidden states are lost': (staging) => rmSync(path.join(staging, 'states-1')),
    'statistics are damaged': (staging) => truncateSync(path.join(staging, '0'), 5000),
    'the journal ends before its first line': (staging) => truncateSync(path.join(staging, 'journal'), 40),
    'a line of the journal is of another form': (staging) =>
      appendFileSync(path.join(staging, 'journal'), '{}\n'),
  };
  for (const [what, damage] of Object.entries(DAMAGES)) {
    it(`gives the same bytes where ${what}`, async (t) => {
      const { common, staging } = await opened(t);
      const expected = await expectedOf(common);
      await endedIn(2, common);
      damage(staging);
      assert.equal((await resumed(common)).sha256, expected.sha256);
    });
  }

  it('goes on only with the same model, texts and options', async (t) => {
    const { common } = await opened(t);
    const changes: readonly Partial<Common>[] = [
      { texts: [{ name: 'a', text: 'Call me Isaac. '.repeat(20) }] },
      { contextLength: 8 },
      { moments: ['up_proj'] as never },
    ];
    for (const change of changes) {
      await endedIn(2, common);
      const { layers } = await resumed({ ...common, ...change, force: true } as Common);
      assert.ok(layers.includes('layer 1 of 2'), JSON.stringify(Object.keys(change)));
    }
  });

  it('without --resume removes what was kept once the output is there', async (t) => {
    const { common, output } = await opened(t);
    await endedIn(2, common);
    await calibrate(common);
    assert.deepEqual(readdirSync(path.dirname(output)), ['stats.gguf']);
  });
});
