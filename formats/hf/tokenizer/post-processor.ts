import { type PressError, unsupported } from '../../../src/core/errors.ts';
import type { JsonField } from '../../../src/core/json/json-field.ts';
import type { Prefix } from './special-tokens.ts';
import { partsOf } from './stages.ts';

/**
 * The token that the post-processor of tokenizer.json puts before a text; undefined where it puts none.
 * Throws `unsupported` where it adds anything else.
 */
export function readPostProcessor(field: JsonField, tokens: readonly string[]): Prefix | undefined {
  const prefixes = partsOf(field, 'processors').flatMap((part) => prefixesOf(part, tokens));
  if (prefixes.length > 1) throw refused(field, 'more than one token before a text');
  return prefixes[0];
}

function prefixesOf(stage: JsonField, tokens: readonly string[]): Prefix[] {
  const type = stage.at('type').string();
  // This one moves offsets only.
  if (type === 'ByteLevel') return [];
  if (type !== 'TemplateProcessing') throw refused(stage, type);
  const pieces = stage.at('single').items();
  const text = pieces.findIndex((piece) => piece.at('Sequence').optional()?.at('id').value === 'A');
  if (text < 0) throw stage.at('single').unexpected('the sequence A');
  if (text < pieces.length - 1) throw refused(pieces[text + 1]!, 'a token after a text');
  return pieces.slice(0, text).flatMap((piece) => {
    const name = piece.at('SpecialToken').at('id').string();
    const ids = stage.at('special_tokens').at(name).at('ids');
    return ids.items().map((id) => ({ id: id.integer(0, tokens.length - 1), field: stage }));
  });
}

function refused({ file, field }: JsonField, got: string): PressError {
  const expected = 'ByteLevel, or bos before a text';
  return unsupported({ file, field, what: 'unknown post-processor', got, expected });
}
