import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parseConfig } from '../../../../formats/hf/config.ts';
import { openHfFolder } from '../../../../formats/hf/import.ts';
import { companionFiles } from '../../../../formats/onnx/folder/index.ts';
import { plmConfigText, readPlmConfig } from '../../../../formats/onnx/folder/plm-config.ts';
import type { PlmConfig } from '../../../../src/core/config.ts';
import { PressError } from '../../../../src/core/errors.ts';
import { closeModel } from '../../../../src/core/model.ts';
import { trimVocab } from '../../../../src/passes/trim-vocab.ts';
import { Q4_GRAPH } from '../../../support/builders/companion-folder.ts';
import { hollowModel, PLM_1_8B, SMALL_PLM, SMALL_TOKENIZER } from '../../../support/builders/hollow-model.ts';
import { fixture } from '../../../support/paths.ts';

const text = (config: PlmConfig) => plmConfigText({ config, tokenizer: SMALL_TOKENIZER });

describe('geometry of a model as a config.json', () => {
  const geometries: Readonly<Record<string, PlmConfig>> = {
    'PLM-1.8B': PLM_1_8B,
    'layers of different widths': { ...SMALL_PLM, intermediateSizes: [512, 256] },
    'a query bottleneck': { ...SMALL_PLM, qLoraRank: 96, ropeInterleave: false, tieWordEmbeddings: false },
  };
  for (const [what, config] of Object.entries(geometries)) {
    it(`of ${what} is that of a Hugging Face folder`, () => {
      assert.deepEqual(parseConfig(text(config), 'config.json'), {
        plm: config,
        tied: config.tieWordEmbeddings,
        quantization: [],
        bosTokenId: 258,
        eosTokenIds: [258, 259],
        padTokenId: 258,
        notes: [],
      });
    });
  }

  it('has what passes leave in a member of its own', () => {
    const forms: PlmConfig[] = [
      { ...SMALL_PLM, kvBForm: 'split' },
      { ...SMALL_PLM, ffnBias: true },
      { ...SMALL_PLM, kvBForm: 'premultiplied', ffnBias: true },
    ];
    for (const config of [SMALL_PLM, ...forms]) {
      assert.deepEqual(readPlmConfig(text(config), 'f').plm, config);
    }
  });

  it('is refused with a form of kv_b_proj that is unknown', () => {
    const forged = text({ ...SMALL_PLM, kvBForm: 'split' }).replace('"split"', '"halves"');
    assert.throws(
      () => readPlmConfig(forged, 'plm_config.json'),
      (error) => error instanceof PressError && /plmpress\.kv_b_form: wrong value/.test(error.message),
    );
  });
});

describe('plm_config.json', () => {
  it('is the config.json of the source as it was, whatever passes do', async (t) => {
    const model = await openHfFolder(fixture('plm-tiny'));
    t.after(() => closeModel(model));
    const { files } = companionFiles(trimVocab.run(model), [Q4_GRAPH]);
    const original = readFileSync(fixture('plm-tiny', 'config.json'), 'utf8');
    assert.equal(files.find(({ name }) => name === 'plm_config.json')!.text, original);
    const written = JSON.parse(files.find(({ name }) => name === 'config.json')!.text);
    assert.equal(written.vocab_size, 2003);
  });

  it('is made of the geometry where the source has no config.json', () => {
    const model = hollowModel(SMALL_PLM, { format: 'gguf' });
    const { files } = companionFiles(model, [Q4_GRAPH]);
    assert.equal(files.find(({ name }) => name === 'plm_config.json')!.text, text(SMALL_PLM));
  });
});
