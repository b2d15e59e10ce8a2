import { bytesOfSpelling } from '../core/byte-alphabet.ts';
import type { AddedToken, TokenizerSpec } from '../core/tokenizer-spec.ts';
import { AddedTokenMatcher } from './added-tokens.ts';
import { Bpe } from './bpe.ts';
import { normalizeNfc } from './nfc.ts';
import { pieceEnd } from './pre-tokenize.ts';
import { StreamDecoder } from './stream-decoder.ts';

export interface EncodeOptions {
  /**
   * Takes the text of special tokens for the tokens (default false: for ordinary text, as safe for text of
   * strangers). Added tokens that are not special are always taken.
   */
  readonly special?: boolean;
}

export interface DecodeOptions {
  /** Leaves special tokens out (default false). */
  readonly skipSpecial?: boolean;
}

/** A byte-level BPE tokenizer. Same ids as Hugging Face tokenizers give for the tokenizer.json of the spec. */
export class Tokenizer {
  readonly spec: TokenizerSpec;
  readonly #bpe: Bpe;
  readonly #allAdded: AddedTokenMatcher;
  readonly #ordinaryAdded: AddedTokenMatcher;
  readonly #addedById: ReadonlyMap<number, AddedToken>;

  /** `spec` has passed `checkTokenizerSpec`, as every importer's has. */
  constructor(spec: TokenizerSpec) {
    this.spec = spec;
    this.#bpe = new Bpe(spec.merges, new Map(spec.tokens.map((token, id) => [token, id])));
    this.#allAdded = new AddedTokenMatcher(spec.added);
    this.#ordinaryAdded = new AddedTokenMatcher(spec.added.filter((token) => !token.special));
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
    const matcher = options.special ? this.#allAdded : this.#ordinaryAdded;
    let at = 0;
    for (const match of matcher.matches(wellFormed)) {
      this.#encodeOrdinary(wellFormed.slice(at, match.start), ids);
      ids.push(match.id);
      at = match.end;
    }
    this.#encodeOrdinary(wellFormed.slice(at), ids);
    return ids;
  }

  #encodeOrdinary(text: string, ids: number[]): void {
    const normal = this.spec.normalizer === 'NFC' ? normalizeNfc(text) : text;
    const utf8 = new TextEncoder();
    for (let start = 0; start < normal.length; ) {
      const end = pieceEnd(normal, start);
      this.#bpe.encode(utf8.encode(normal.slice(start, end)), ids);
      start = end;
    }
  }

  /** Text of `ids`. Bytes that are no UTF-8 become U+FFFD; padding rows of the embedding have no text. */
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
