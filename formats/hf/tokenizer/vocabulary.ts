import { invalidInput, type PressError } from '../../../src/core/errors.ts';
import type { JsonField } from '../../../src/core/json/json-field.ts';
import type { JsonValue } from '../../../src/core/json/json-value.ts';
import type { AddedToken } from '../../../src/core/tokenizer/tokenizer-spec.ts';

/** Tokens and merges of a tokenizer. */
export interface Vocabulary {
  /** Text by id, added tokens included. */
  readonly tokens: readonly string[];
  /** Inverse of `tokens`. */
  readonly ids: ReadonlyMap<string, number>;
  /** In rank order, spelled `left right`. */
  readonly merges: readonly string[];
  readonly added: readonly AddedToken[];
}

/**
 * A vocabulary, collected from the files of a tokenizer one after the other. Every method throws
 * `invalid-input`, naming the field, where an id is not that of a row of the embedding or two fields
 * contradict each other.
 */
export class VocabularyBuilder {
  readonly #tokens: string[] = [];
  readonly #ids = new Map<string, number>();
  readonly #added = new Map<number, AddedToken>();
  readonly #rows: number;

  /** `rows` is the number of rows of the embedding. */
  constructor(rows: number) {
    this.#rows = rows;
  }

  id(text: string): number | undefined {
    return this.#ids.get(text);
  }

  text(id: number): string | undefined {
    return this.#tokens[id];
  }

  /** The id after the last. */
  get next(): number {
    return this.#tokens.length;
  }

  added(id: number): AddedToken | undefined {
    return this.#added.get(id);
  }

  /** Takes the ordinary tokens of an object of ids by text. */
  addOrdinary(vocab: JsonField): void {
    for (const [token, value] of vocab.object()) {
      const id = isId(value, this.#rows) ? value : vocab.at(token).integer(0, this.#rows - 1);
      const known = this.#tokens[id];
      if (known !== undefined) throw fault(vocab.at(token), `id ${id} has another token`, known);
      this.#tokens[id] = token;
      this.#ids.set(token, id);
    }
  }

  /** Takes an added token, or another account of one that is known. `field` says where it stands. */
  add(token: AddedToken, field: JsonField): void {
    const { id, content } = token;
    if (id >= this.#rows) {
      const expected = `below ${this.#rows}, the rows of the embedding`;
      throw invalidInput({ ...placeOf(field), what: `id of ${JSON.stringify(content)}`, got: id, expected });
    }
    const known = this.#ids.get(content) ?? id;
    if (known !== id) throw fault(field, `id ${known} has the same token`, content);
    const text = this.#tokens[id] ?? content;
    if (text !== content) throw fault(field, `id ${id} has another token`, text);
    this.#tokens[id] = content;
    this.#ids.set(content, id);
    this.#added.set(id, token);
  }

  /** Throws where ids leave a hole; `field` is the place to name then. */
  build(merges: readonly string[], field: JsonField): Vocabulary {
    // With size distinct ids, one beyond that count leaves a hole below it.
    for (let id = 0; id < this.#ids.size; id++) {
      if (this.#tokens[id] === undefined) throw fault(field, `hole in the ids, no token has id ${id}`);
    }
    return { tokens: this.#tokens, ids: this.#ids, merges, added: [...this.#added.values()] };
  }
}

/** Merges are texts `left right`, or pairs in newer files. */
export function readMerges(merges: JsonField): string[] {
  return merges.array().map((merge, rank) => {
    if (typeof merge === 'string') return merge;
    if (isPair(merge)) return merge.join(' ');
    throw merges.items()[rank]!.unexpected('two tokens');
  });
}

function isPair(value: JsonValue): value is readonly [string, string] {
  return Array.isArray(value) && value.length === 2 && value.every((part) => typeof part === 'string');
}

function isId(value: JsonValue, rows: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < rows;
}

function placeOf({ file, field }: JsonField) {
  return field === '' ? { file } : { file, field };
}

function fault(field: JsonField, what: string, got: string): PressError;
function fault(field: JsonField, what: string): PressError;
function fault(field: JsonField, what: string, got?: string): PressError {
  return invalidInput(got === undefined ? { ...placeOf(field), what } : { ...placeOf(field), what, got });
}
