import { AddedTokenMatcher } from '../tokenizer/added-tokens.ts';
import { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { ChatForm } from './manifest.ts';

export interface ChatMessage {
  /** `system`, `user` or `assistant`. */
  readonly role: string;
  readonly content: string;
}

/**
 * Puts conversations into the form that a model was trained with. Special tokens are taken from the form
 * alone: their text in roles and contents stays text. Text between them is encoded in one piece, as templates
 * do.
 */
export class ChatEncoder {
  readonly #form: ChatForm;
  readonly #tokenizer: Tokenizer;
  readonly #special: AddedTokenMatcher;

  constructor(form: ChatForm, tokenizer: Tokenizer) {
    this.#form = form;
    // Templates spell every token that they want, bos too.
    this.#tokenizer = new Tokenizer({ ...tokenizer.spec, addBosToken: false });
    this.#special = new AddedTokenMatcher(tokenizer.spec.added.filter(({ special }) => special));
  }

  /** Ids up to where the answer of the assistant begins. */
  encode(messages: readonly ChatMessage[]): number[] {
    const { before, between, after, defaultSystem } = this.#form;
    const text = new MixedText(this.#tokenizer, this.#special);
    const ownSystem = messages[0]?.role === 'system' || defaultSystem === undefined;
    const all = ownSystem ? messages : [{ role: 'system', content: defaultSystem }, ...messages];
    for (const { role, content } of all) {
      text.form(before);
      text.plain(role);
      text.form(between);
      text.plain(content);
      text.form(after);
    }
    text.form(before);
    text.plain('assistant');
    text.form(between);
    return text.end();
  }
}

/** Text of which only some parts may hold special tokens. */
class MixedText {
  readonly #tokenizer: Tokenizer;
  readonly #special: AddedTokenMatcher;
  readonly #ids: number[] = [];
  /** Since the last special token. */
  #pending = '';

  constructor(tokenizer: Tokenizer, special: AddedTokenMatcher) {
    this.#tokenizer = tokenizer;
    this.#special = special;
  }

  plain(text: string): void {
    this.#pending += text;
  }

  form(text: string): void {
    let at = 0;
    for (const match of this.#special.matches(text)) {
      this.plain(text.slice(at, match.start));
      this.end();
      this.#ids.push(match.id);
      at = match.end;
    }
    this.plain(text.slice(at));
  }

  end(): number[] {
    for (const id of this.#tokenizer.encode(this.#pending)) this.#ids.push(id);
    this.#pending = '';
    return this.#ids;
  }
}
