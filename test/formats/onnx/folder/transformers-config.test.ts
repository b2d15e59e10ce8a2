import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Dtype } from '../../../../formats/onnx/folder/graph-file.ts';
import { companion, companionFolder, Q4_GRAPH } from '../../../support/builders/companion-folder.ts';
import { hollowModel, SMALL_PLM } from '../../../support/builders/hollow-model.ts';
import { AutoConfig, cacheNames } from '../../../support/oracles/transformers-js.ts';

const model = hollowModel(SMALL_PLM);
const graphs = (...dtypes: Dtype[]) =>
  dtypes.map((dtype, i) => ({ ...Q4_GRAPH, dtype, name: `model_${dtype}.onnx`, dataFiles: i }));
const loading = (...dtypes: Dtype[]) =>
  companion(model, 'config.json', graphs(...dtypes))['transformers.js_config'];

describe('config.json', () => {
  it('gives transformers.js the names of the caches', async (t) => {
    const config = await AutoConfig.from_pretrained(companionFolder(t, model));
    const names = (prefix: string) =>
      [0, 1].flatMap((layer) => [`${prefix}.${layer}.key`, `${prefix}.${layer}.value`]);
    for (const prefix of ['past_key_values', 'present'] as const) {
      assert.deepEqual(await cacheNames(config, prefix), names(prefix));
    }
  });

  it('tells of the caches where version 3 takes their shapes from', () => {
    const { num_key_value_heads, head_dim } = companion(model, 'config.json');
    assert.deepEqual([num_key_value_heads, head_dim], [1, 136]);
  });

  it('says what the model is', () => {
    const config = companion(model, 'config.json');
    assert.deepEqual(config.architectures, ['PLMForCausalLM']);
    assert.deepEqual(config.plmpress, { true_model_type: 'plm', true_config: 'plm_config.json' });
    assert.deepEqual([config.kv_lora_rank, config.num_attention_heads, config.vocab_size], [256, 4, 512]);
    assert.deepEqual([config.bos_token_id, config.eos_token_id, config.pad_token_id], [258, [258, 259], 258]);
  });

  it('loads the first graph unless told otherwise, and counts the data files of each', () => {
    assert.deepEqual(loading('q4', 'fp32'), {
      dtype: 'q4',
      use_external_data_format: { 'model_fp32.onnx': 1 },
    });
    assert.deepEqual(loading('fp16', 'q4f16', 'fp32'), {
      dtype: 'fp16',
      use_external_data_format: { 'model_q4f16.onnx': 1, 'model_fp32.onnx': 2 },
    });
  });

  it('leaves q8 to WebAssembly where there is one', () => {
    assert.deepEqual(loading('q4', 'q8').device_config, { wasm: { dtype: 'q8' } });
    assert.equal(loading('q8', 'q4').device_config, undefined);
    assert.deepEqual(loading('q8'), { dtype: 'q8', use_external_data_format: {} });
  });
});
