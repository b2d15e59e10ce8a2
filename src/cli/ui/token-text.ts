import { visible } from '../../core/text/format.ts';
import type { Tokenizer } from '../../tokenizer/tokenizer.ts';

/**
 * Text of one token for a table: escaped, in quotes so that spaces show, or its bytes if it is not a
 * whole text.
 */
export function tokenText(tokenizer: Tokenizer, id: number): string {
  const bytes = tokenizer.tokenBytes(id);
  if (bytes.length === 0) return 'padding';
  const text = tokenizer.decode([id]);
  return text.includes('\ufffd') ? `bytes ${Buffer.from(bytes).toString('hex')}` : `"${visible(text)}"`;
}
