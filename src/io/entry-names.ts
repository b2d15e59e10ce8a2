/**
 * Names that belong to no model: hidden files, as temporary ones and those that macOS writes beside each file
 * on other file systems (AppleDouble, `._model.gguf`).
 */
const HIDDEN = /^\./;

/**
 * The base names in a folder, without hidden ones. If no entry has exactly the requested name, the only entry
 * that differs just in case is taken, since some disks and tools change the case.
 */
export class EntryNames implements Iterable<string> {
  readonly #names: ReadonlySet<string>;
  /** Names by themselves in lower case. */
  readonly #lowerCase = new Map<string, string[]>();

  constructor(names: Iterable<string>) {
    this.#names = new Set([...names].filter((name) => !HIDDEN.test(name)));
    for (const name of this.#names) {
      const alike = this.#lowerCase.get(name.toLowerCase());
      if (alike === undefined) this.#lowerCase.set(name.toLowerCase(), [name]);
      else alike.push(name);
    }
  }

  [Symbol.iterator](): Iterator<string> {
    return this.#names[Symbol.iterator]();
  }

  has(name: string): boolean {
    return this.find(name) !== undefined;
  }

  /** The entry that a name means; undefined where there is none. */
  find(name: string): string | undefined {
    if (this.#names.has(name)) return name;
    const alike = this.#lowerCase.get(name.toLowerCase());
    return alike?.length === 1 ? alike[0] : undefined;
  }
}
