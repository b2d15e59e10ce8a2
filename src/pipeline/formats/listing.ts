import { EntryNames } from '../../io/entry-names.ts';

/** The names of the entries of a folder and of its folders, one level deep. */
export interface Listing {
  readonly entries: EntryNames;
  /** Entries of its folders, by the names of the folders. A folder that cannot be read is empty. */
  readonly folders: ReadonlyMap<string, EntryNames>;
}

/** The listing of a folder from the paths of its files, with forward slashes. */
export function listingOf(paths: readonly string[]): Listing {
  const entries: string[] = [];
  const folders = new Map<string, string[]>();
  for (const path of paths) {
    const [name = '', inner, deeper] = path.split('/');
    if (inner === undefined) entries.push(name);
    if (inner === undefined || deeper !== undefined) continue;
    const known = folders.get(name);
    if (known === undefined) folders.set(name, [inner]);
    else known.push(inner);
  }
  return {
    entries: new EntryNames(entries),
    folders: new Map([...folders].map(([name, inner]) => [name, new EntryNames(inner)])),
  };
}
