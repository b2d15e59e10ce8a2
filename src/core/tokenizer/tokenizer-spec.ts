/** A token outside the BPE merges, matched in the text before pre-tokenization. */
export interface AddedToken {
  readonly id: number;
  /** The text as it stands in the input, not in the byte-level alphabet. */
  readonly content: string;
  /** Control tokens: skipped when decoding for people, parsed only on request. */
  readonly special: boolean;
  /** Matched in normalized text, behind all others (default false: matched in the text as it is). */
  readonly normalized?: boolean;
}

/** A chat template for a purpose, such as `tool_use`. */
export interface NamedChatTemplate {
  /** Of the form of `CHAT_TEMPLATE_NAME`. */
  readonly name: string;
  readonly template: string;
}

/** A byte-level BPE tokenizer as data: what tokenizer.json and the GGUF tokenizer keys both hold. */
export interface TokenizerSpec {
  /**
   * Text of every token by id, without holes, added tokens included. Ordinary tokens are spelled in the
   * byte-level alphabet of GPT-2. Rows of the embedding beyond this length are padding.
   */
  readonly tokens: readonly string[];
  /** Pairs in rank order, spelled `left right`. */
  readonly merges: readonly string[];
  readonly added: readonly AddedToken[];
  readonly normalizer: 'NFC' | 'none';
  /** The only pre-tokenizer pattern that is accepted; patterns of files are never compiled. */
  readonly preTokenizer: 'qwen2';
  readonly bosTokenId?: number;
  readonly eosTokenId?: number;
  readonly padTokenId?: number;
  readonly unkTokenId?: number;
  /**
   * Ids that end a generation: eos of tokenizer, config and generation config, `<|im_end|>`, `<|endoftext|>`.
   */
  readonly stopTokenIds: readonly number[];
  readonly addBosToken: boolean;
  /** Carried verbatim, never rendered by a conversion. */
  readonly chatTemplate?: string;
  /** Other templates than that by default, by name in order, carried likewise. */
  readonly namedChatTemplates?: readonly NamedChatTemplate[];
}
