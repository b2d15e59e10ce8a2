import { bytesOfSpelling } from '../core/tokenizer/byte-alphabet.ts';
import type { AddedToken, TokenizerSpec } from '../core/tokenizer/tokenizer-spec.ts';
import { AddedTokenMatcher } from './added-tokens.ts';
import { Bpe } from './bpe.ts';
import { normalizeNfc } from './nfc.ts';
import { pieceEnd } from './pre-tokenize.ts';
import { type DecodeOptions, StreamDecoder } from './stream-decoder.ts';

export interface EncodeOptions {
  /**
   * Takes the text of special tokens for the tokens (default false: for ordinary text, as safe for text of
   * strangers). Added tokens that are not special are always taken.
   */
  readonly special?: boolean;
}

/** Those that are found in a text as it is, and those that are found between them once that is normalized. */
interface AddedMatchers {
  readonly exact: AddedTokenMatcher;
  readonly normalized: AddedTokenMatcher;
}

/**
 * A byte-level BPE tokenizer. Same ids as Hugging Face tokenizers give for the tokenizer.json of the spec.
 */
export class Tokenizer {
  readonly spec: TokenizerSpec;
  readonly #bpe: Bpe;
  readonly #allAdded: AddedMatchers;
  readonly #ordinaryAdded: AddedMatchers;
  readonly #addedById: ReadonlyMap<number, AddedToken>;

  /** `spec` has passed `checkTokenizerSpec`, as every importer's has. */
  constructor(spec: TokenizerSpec) {
    this.spec = spec;
    this.#bpe = new Bpe(spec.merges, new Map(spec.tokens.map((token, id) => [token, id])));
    this.#allAdded = this.#matchersOf(spec.added);
    this.#ordinaryAdded = this.#matchersOf(spec.added.filter((token) => !token.special));
    this.#addedById = new Map(spec.added.map((token) => [token.id, token]));
  }

  /**
   * Ids of `text`, after bos where the spec adds it. Unpaired surrogates count as U+FFFD. Time is linear but
   * for the logarithm of the longest word.
   */
  encode(text: string, options: EncodeOptions = {}): number[] {
    const ids: number[] = [];
    if (this.spec.addBosToken && this.spec.bosTokenId !== undefined) ids.push(this.spec.bosTokenId);
    // In a Unicode pattern only an unpaired surrogate is a surrogate.
    const wellFormed = text.replace(/\p{Surrogate}/gu, '\ufffd');
    const { exact, normalized } = options.special ? this.#allAdded : this.#ordinaryAdded;
    encodeBetween(exact, wellFormed, ids, (part) => {
      encodeBetween(normalized, this.#normalize(part), ids, (words) => this.#encodeWords(words, ids));
    });
    return ids;
  }

  #normalize(text: string): string {
    return this.spec.normalizer === 'NFC' ? normalizeNfc(text) : text;
  }

  #encodeWords(text: string, ids: number[]): void {
    const utf8 = new TextEncoder();
    for (let start = 0; start < text.length; ) {
      const end = pieceEnd(text, start);
      this.#bpe.encode(utf8.encode(text.slice(start, end)), ids);
      start = end;
    }
  }

  #matchersOf(added: readonly AddedToken[]): AddedMatchers {
    const normalized = added.filter((token) => token.normalized);
    return {
      exact: new AddedTokenMatcher(added.filter((token) => !token.normalized)),
      normalized: new AddedTokenMatcher(
        normalized.map((token) => ({ ...token, content: this.#normalize(token.content) })),
      ),
    };
  }

  /** Text of `ids`. Invalid UTF-8 becomes U+FFFD; padding rows of the embedding have no text. */
  decode(ids: Iterable<number>, options: DecodeOptions = {}): string {
    const decoder = new StreamDecoder(this, options);
    let text = '';
    for (const id of ids) text += decoder.push(id);
    return text + decoder.end();
  }

  /** Bytes of one token: maybe a part of a character, none for an id without a token. */
  tokenBytes(id: number, options: DecodeOptions = {}): Uint8Array {
    const added = this.#addedById.get(id);
    if (added === undefined) return bytesOfSpelling(this.spec.tokens[id] ?? '')!;
    return new TextEncoder().encode(options.skipSpecial && added.special ? '' : added.content);
  }
}

/** Appends the tokens that `matcher` finds to `ids`; what is between them is for `encode`. */
function encodeBetween(
  matcher: AddedTokenMatcher,
  text: string,
  ids: number[],
  encode: (text: string) => void,
): void {
  let at = 0;
  for (const match of matcher.matches(text)) {
    encode(text.slice(at, match.start));
    ids.push(match.id);
    at = match.end;
  }
  encode(text.slice(at));
}
