import assert from 'node:assert/strict';
import test from 'node:test';
import { publishableConfig } from '../../../../formats/onnx/folder/source-config.ts';

const published = (config: string) => JSON.parse(publishableConfig(config));

test('a config.json that holds nothing private stays as it was, to the byte', () => {
  for (const text of [
    '{"model_type":"plm",\r\n "rms_norm_eps": 1e-06, "_name_or_path": "PLM-Team/PLM-1.8B-Base"}',
    '{ "_name_or_path": "" }',
    '{ "_name_or_path": "plm", "auto_map": {"AutoConfig": "configuration_plm.PLMConfig"} }\n',
    '{ "x": ["https://example.org/a/b", null, {}], "base_model_name_or_path": null }',
  ]) {
    assert.equal(publishableConfig(text), text);
  }
});

// biome-ignore format: rows of a table
const PRIVATE: readonly (readonly [name: string, members: string])[] = [
  ['a home', '"_name_or_path": "/srv/alice/secret/plm"'],
  ['a folder of the root', '"_name_or_path": "/models"'],
  ['a relative path', '"_name_or_path": "./results"'],
  ['a relative path of three parts', '"_name_or_path": "runs/7/last"'],
  ['a path of Windows', '"_name_or_path": "C:\\\\Users\\\\alice"'],
  ['a relative path of Windows', '"_name_or_path": "runs\\\\7"'],
  ['another field', '"tokenizer_file": "/srv/alice/tok.json"'],
  ['a base model of an adapter', '"base_model_name_or_path": "/data/alice"'],
  ['a name of a member', '"/srv/alice/data": 1'],
  ['a longer text', '"comment": "trained from /srv/alice/secret"'],
  ['a quantization that is gone', '"quantization_config": {"quant_method": "gptq", "dataset": "c4"}'],
  ['that of MLX', '"quantization": {"bits": 4}'],
  ['numbers of Python', '"initializer_range": NaN, "x": -Infinity'],
];

test('what stays at home is left out, the rest kept in its order', async (t) => {
  for (const [name, members] of PRIVATE) {
    await t.test(name, () => {
      const text = publishableConfig(`{"model_type": "plm", ${members}, "rms_norm_eps": 1e-06}`);
      assert.equal(text, '{\n  "model_type": "plm",\n  "rms_norm_eps": 0.000001\n}\n');
    });
  }
  await t.test('inside of objects and arrays', () => {
    assert.deepEqual(
      published(
        '{"a": {"path": "/srv/alice/x", "b": 1}, "c": ["~/x", 2, {"name_or_path": "../y", "d": null}, [NaN]]}',
      ),
      { a: { b: 1 }, c: [2, { d: null }, []] },
    );
  });
});
