export interface DecodeOptions {
  /** Leaves special tokens out (default false). */
  readonly skipSpecial?: boolean;
}

/** A source of the bytes of tokens. */
export interface TokenBytes {
  tokenBytes(id: number, options: DecodeOptions): Uint8Array;
}

/**
 * Turns tokens into text as they are generated. A character split over tokens comes out with its last one.
 */
export class StreamDecoder {
  readonly #tokenizer: TokenBytes;
  readonly #options: DecodeOptions;
  // A byte order mark is text like any other.
  readonly #utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

  constructor(tokenizer: TokenBytes, options: DecodeOptions = {}) {
    this.#tokenizer = tokenizer;
    this.#options = options;
  }

  /** Text that is complete now that `id` has come; often empty inside a character. */
  push(id: number): string {
    return this.#utf8.decode(this.#tokenizer.tokenBytes(id, this.#options), { stream: true });
  }

  /** The rest of the text: U+FFFD for an unfinished character. */
  end(): string {
    return this.#utf8.decode();
  }
}
