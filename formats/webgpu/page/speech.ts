import { byId } from './elements.ts';

/** Milliseconds between what a screen reader is told. */
const PAUSE = 3000;

/** Reads an answer to screen readers as it comes: whole words, not too often. */
export class Speech {
  readonly #region = byId('spoken', HTMLElement);
  #waiting = '';
  #last = 0;

  add(text: string): void {
    this.#waiting += text;
    const end = this.#waiting.search(/\s\S*$/);
    if (performance.now() - this.#last < PAUSE || end < 1) return;
    this.#say(this.#waiting.slice(0, end));
    this.#waiting = this.#waiting.slice(end);
  }

  /** Tells the rest, and what else there is to tell. */
  end(remark = ''): void {
    this.#say([this.#waiting.trim(), remark].filter(Boolean).join('; '));
    this.#waiting = '';
    this.#last = 0;
  }

  #say(text: string): void {
    this.#region.textContent = text;
    this.#last = performance.now();
  }
}
