import type { TokenizerSpec } from '../../../src/core/tokenizer/tokenizer-spec.ts';
import type { Json } from './json-text.ts';

/** Ids that end a generation, the tokenizer's eos first: runtimes that want a single one take the first. */
export function endTokenIds({ eosTokenId, stopTokenIds }: TokenizerSpec): readonly number[] {
  const ids = eosTokenId === undefined ? stopTokenIds : [eosTokenId, ...stopTokenIds];
  return [...new Set(ids)];
}

/**
 * The members of config.json and generation_config.json that name tokens; a role without a token is left out.
 */
export function tokenIdFields(tokenizer: TokenizerSpec): { readonly [key: string]: Json | undefined } {
  const ends = endTokenIds(tokenizer);
  return {
    bos_token_id: tokenizer.bosTokenId,
    eos_token_id: ends.length > 1 ? ends : ends[0],
    pad_token_id: tokenizer.padTokenId,
  };
}
