import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { openGguf } from '../../../formats/gguf/import.ts';
import { closeModel, type Model } from '../../../src/core/model.ts';
import { plmTensors } from '../../../src/core/names.ts';
import { rowBytes, rowCount } from '../../../src/core/tensor.ts';
import { bytesOf, partsOf, writeFile, writeShards } from '../../support/builders/gguf-parts.ts';
import { hollowModel, SMALL_PLM, SMALL_TOKENIZER } from '../../support/builders/hollow-model.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

async function opened(t: TestContext, file: string): Promise<Model> {
  const model = await openGguf(file);
  t.after(() => closeModel(model));
  return model;
}

describe('openGguf', () => {
  it('gives back config, tokenizer, sampling and card of what was written', async (t) => {
    const source = hollowModel(SMALL_PLM, {
      generation: { temperature: 0.7, topK: 40, topP: 0.9, minP: 0.05, repetitionPenalty: 1.1 },
      card: {
        license: 'other',
        licenseName: 'mine',
        licenseLink: 'LICENSE',
        baseModels: ['PLM-Team/PLM-1.8B-Base', 'alone'],
        datasets: ['org/data/part'],
        tags: ['a', 'b'],
        languages: ['en'],
      },
    });
    const [parts] = await partsOf(source);
    const model = await opened(t, writeFile(temporaryFolder(t), parts!));
    assert.equal(model.format, 'gguf');
    assert.equal(model.name, source.name);
    assert.deepEqual(model.config, source.config);
    assert.deepEqual(model.tokenizer, source.tokenizer);
    assert.deepEqual(model.generation, source.generation);
    assert.deepEqual(model.card, source.card);
    assert.deepEqual(model.notes, []);
  });

  it('gives every tensor under its Hugging Face name with the bytes at its place', async (t) => {
    const [parts] = await partsOf(hollowModel(SMALL_PLM), 'q4_0');
    const bytes = bytesOf(parts!);
    const model = await opened(t, writeFile(temporaryFolder(t), parts!));
    assert.deepEqual(
      [...model.tensors].map(([name, { shape }]) => [name, shape]),
      plmTensors(SMALL_PLM).map(({ name, shape }) => [name, shape]),
    );
    for (const tensor of model.tensors.values()) {
      const last = rowCount(tensor) - 1;
      const row = new Uint8Array(rowBytes(tensor));
      await tensor.readRows({ first: last, count: 1 }, row);
      const start = tensor.origin.offset + last * row.length;
      assert.deepEqual(row, bytes.slice(start, start + row.length));
    }
  });

  it('opens all shards from the first', async (t) => {
    const folder = temporaryFolder(t);
    const shards = await partsOf(hollowModel(SMALL_PLM), 'q8_0', 300_000);
    assert.ok(shards.length > 2);
    const model = await opened(t, writeShards(folder, shards));
    assert.equal(model.files.length, shards.length);
    assert.equal(model.tensors.size, 20);
    const files = new Set([...model.tensors.values()].map(({ origin }) => origin.file));
    assert.deepEqual([...files].sort(), [...shards.keys()]);
  });

  it('does not normalize text where the file does not say NFC, as llama.cpp does not', async (t) => {
    const [parts] = await partsOf(hollowModel(SMALL_PLM));
    parts!.keys.delete('plmpress.tokenizer.normalizer');
    const model = await opened(t, writeFile(temporaryFolder(t), parts!));
    assert.equal(model.tokenizer.normalizer, 'none');
    assert.deepEqual(model.notes, ['text is not normalized to NFC, as in llama.cpp']);
  });

  it('reads FFN widths by layer, which llama.cpp does not', async (t) => {
    const [parts] = await partsOf(hollowModel(SMALL_PLM));
    parts!.keys.set('plm.feed_forward_length', { type: 'array', items: 'u32', value: [512, 256] });
    for (const entry of parts!.entries) {
      if (entry.name === 'blk.1.ffn_up.weight') entry.shape = [256, 256];
      if (entry.name === 'blk.1.ffn_down.weight') entry.shape = [256, 256];
    }
    const model = await opened(t, writeFile(temporaryFolder(t), parts!));
    assert.deepEqual(model.config.intermediateSizes, [512, 256]);
  });

  it('keeps unused tokens between used ones and drops those at the end', async (t) => {
    const [parts] = await partsOf(hollowModel(SMALL_PLM));
    const types = parts!.keys.get('tokenizer.ggml.token_type')!.value as number[];
    parts!.keys.set('tokenizer.ggml.token_type', {
      type: 'array',
      items: 'i32',
      value: types.with(7, 5).with(260, 5),
    });
    const { tokenizer } = await opened(t, writeFile(temporaryFolder(t), parts!));
    assert.equal(tokenizer.tokens.length, 260);
    assert.equal(tokenizer.tokens[7], SMALL_TOKENIZER.tokens[7]);
  });

  it('takes the name of the file where it has none inside', async (t) => {
    const [parts] = await partsOf(hollowModel(SMALL_PLM));
    parts!.keys.delete('general.name');
    const model = await opened(t, writeFile(temporaryFolder(t), parts!, 'plain.gguf'));
    assert.equal(model.name, 'plain');
  });
});
