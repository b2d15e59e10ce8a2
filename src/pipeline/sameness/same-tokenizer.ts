import { type Fault, PressError } from '../../core/errors.ts';
import type { Model } from '../../core/model.ts';
import type { TokenizerSpec } from '../../core/tokenizer/tokenizer-spec.ts';
import { formatOf } from '../formats/index.ts';

/**
 * Throws `verification` where an artifact would read or end text otherwise than its source. Where a format
 * cannot hold a normalizer, it may be missing, and what it does to added tokens.
 */
export function assertSameTokenizer(source: Tokenized, artifact: Tokenized): void {
  const lacksNormalizer = ({ format, tokenizer }: Tokenized) =>
    !formatOf({ format }).holdsNormalizer && tokenizer.normalizer === 'none';
  const compared = [source, artifact].some(lacksNormalizer) ? COMPARED : { ...COMPARED, ...NORMALIZED };
  for (const [field, valuesOf] of Object.entries(compared)) {
    const [expected, got] = [valuesOf(source.tokenizer), valuesOf(artifact.tokenizer)];
    const length = Math.max(expected.length, got.length);
    for (let i = 0; i < length; i++) {
      if (expected[i] !== got[i]) throw differs(`${field}[${i}]`, got[i], expected[i]);
    }
  }
}

type Tokenized = Pick<Model, 'format' | 'tokenizer'>;

type Value = string | number | boolean | undefined;

/** What text becomes depends on these; each is a list, so that the first difference has a place. */
const COMPARED: Readonly<Record<string, (spec: TokenizerSpec) => readonly Value[]>> = {
  tokens: (spec) => spec.tokens,
  merges: (spec) => spec.merges,
  added: (spec) =>
    spec.added
      .toSorted((a, b) => a.id - b.id)
      .map(({ id, content, special }) => `${id} ${content} ${special}`),
  pre_tokenizer: (spec) => [spec.preTokenizer],
  bos_token: (spec) => [spec.addBosToken, spec.bosTokenId],
  eos_token: (spec) => [spec.eosTokenId],
  stop_tokens: (spec) => spec.stopTokenIds.toSorted((a, b) => a - b),
  chat_template: (spec) => [spec.chatTemplate],
  chat_templates: ({ namedChatTemplates = [] }) =>
    namedChatTemplates.flatMap(({ name, template }) => [name, template]),
};

/** What happens to text before it is matched. */
const NORMALIZED: typeof COMPARED = {
  normalizer: (spec) => [spec.normalizer],
  normalized_tokens: (spec) =>
    spec.added
      .filter(({ normalized }) => normalized)
      .map(({ id }) => id)
      .sort((a, b) => a - b),
};

function differs(field: string, got: Value, expected: Value): PressError {
  const fault: Fault = {
    field: `tokenizer ${field}`,
    what: 'the artifact has another tokenizer than its source',
    got,
    expected: expected === undefined ? 'nothing' : JSON.stringify(expected),
  };
  return new PressError('verification', fault);
}
