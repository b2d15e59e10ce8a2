import { EntryNames } from '../../io/entry-names.ts';

/** Names of what lies in a folder, and of what lies in the folders in it. */
export interface Listing {
  readonly entries: EntryNames;
  /** The folders in it, by their names. One that cannot be read is empty. */
  readonly folders: ReadonlyMap<string, EntryNames>;
}

/** The listing of the folder that paths with forward slashes begin in. */
export function listingOf(paths: readonly string[]): Listing {
  const entries: string[] = [];
  const folders = new Map<string, string[]>();
  for (const path of paths) {
    const [name = '', inner, deeper] = path.split('/');
    if (inner === undefined) entries.push(name);
    else if (deeper === undefined) folders.set(name, [...(folders.get(name) ?? []), inner]);
  }
  return {
    entries: new EntryNames(entries),
    folders: new Map([...folders].map(([name, inner]) => [name, new EntryNames(inner)])),
  };
}
