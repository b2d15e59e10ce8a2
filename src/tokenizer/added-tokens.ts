import type { AddedToken } from '../core/tokenizer/tokenizer-spec.ts';

/** An added token found in a text: `text.slice(start, end)` is its content. */
export interface AddedTokenMatch {
  readonly start: number;
  readonly end: number;
  readonly id: number;
}

/** A node of the trie of contents, by UTF-16 unit. */
interface Node {
  readonly next: Map<number, Node>;
  id?: number;
}

/** Finds added tokens in text: leftmost first, the longest of those that start at one place. */
export class AddedTokenMatcher {
  readonly #root: Node = { next: new Map() };

  constructor(tokens: readonly AddedToken[]) {
    for (const { content, id } of tokens) {
      let node = this.#root;
      for (let i = 0; i < content.length; i++) node = child(node, content.charCodeAt(i));
      node.id = id;
    }
  }

  *matches(text: string): Generator<AddedTokenMatch> {
    if (this.#root.next.size === 0) return;
    for (let start = 0; start < text.length; start++) {
      const match = this.#longestAt(text, start);
      if (match === undefined) continue;
      yield match;
      start = match.end - 1;
    }
  }

  #longestAt(text: string, start: number): AddedTokenMatch | undefined {
    let match: AddedTokenMatch | undefined;
    let node = this.#root.next.get(text.charCodeAt(start));
    for (let end = start + 1; node !== undefined; end++) {
      if (node.id !== undefined) match = { start, end, id: node.id };
      node = node.next.get(text.charCodeAt(end));
    }
    return match;
  }
}

/** The node below `node` for `unit`, made where there is none. */
function child(node: Node, unit: number): Node {
  const known = node.next.get(unit);
  if (known !== undefined) return known;
  const made: Node = { next: new Map() };
  node.next.set(unit, made);
  return made;
}
