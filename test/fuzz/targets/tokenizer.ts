import assert from 'node:assert/strict';
import { parseHfTokenizer } from '../../../formats/hf/tokenizer.ts';
import { tokenizerJsonText } from '../../../formats/onnx/folder/tokenizer-json.ts';
import { parseVocabulary } from '../../../formats/webgpu/import/vocabulary.ts';
import { decodeUtf8 } from '../../../src/io/text-file.ts';
import { Tokenizer } from '../../../src/tokenizer/tokenizer.ts';
import { mutateJson } from '../mutate/json.ts';
import { mutateText } from '../mutate/text.ts';
import { TOKENIZER_CONFIG, TOKENIZER_JSON } from '../small-model.ts';
import type { Files, Target } from '../target.ts';
import { useTokenizer } from '../use-model.ts';

const IDS = { vocabSize: 264, eosTokenIds: [259], bosTokenId: 258 };

/** tokenizer.json and the files beside it that tell of tokens. */
export const TOKENIZER_TARGET: Target = {
  name: 'tokenizer',
  cases: 12_000,
  async setUp() {
    const map = { eos_token: '<|im_end|>', unk_token: { content: '<|endoftext|>' } };
    const seed = new Map([
      ['tokenizer.json', Buffer.from(TOKENIZER_JSON)],
      ['tokenizer_config.json', Buffer.from(TOKENIZER_CONFIG)],
      ['special_tokens_map.json', Buffer.from(JSON.stringify(map))],
      ['chat_template.jinja', Buffer.from('{% for m in messages %}{{ m }}{% endfor %}')],
    ]);
    return {
      seeds: [seed],
      mutatorOf: (name) => (name.endsWith('.json') ? mutateJson : mutateText),
      open,
    };
  },
};

async function open(files: Files): Promise<void> {
  const text = (name: string) => files.get(name) && decodeUtf8(files.get(name)!, name);
  const [tokenizerConfig, specialTokensMap] = [
    text('tokenizer_config.json'),
    text('special_tokens_map.json'),
  ];
  const chatTemplate = text('chat_template.jinja');
  const { spec } = parseHfTokenizer(
    {
      tokenizer: text('tokenizer.json') ?? '',
      ...(tokenizerConfig !== undefined && { tokenizerConfig }),
      ...(specialTokensMap !== undefined && { specialTokensMap }),
      ...(chatTemplate !== undefined && { chatTemplate }),
    },
    IDS,
  );
  useTokenizer(new Tokenizer(spec));
  // What is written of it is read as the same.
  const again = parseHfTokenizer({ tokenizer: tokenizerJsonText(spec) }, IDS).spec;
  for (const key of ['tokens', 'merges', 'added', 'normalizer'] as const)
    assert.deepEqual(again[key], spec[key]);
  assert.deepEqual(parseVocabulary(JSON.stringify(spec), 'vocabulary.json', IDS.vocabSize), spec);
}
