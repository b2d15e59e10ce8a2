import { PressError } from '../core/errors.ts';
import type { HubOrigin } from '../core/model.ts';
import { type ByteSource, InputFile } from '../io/input-file.ts';
import { type FolderSource, SourceFolder } from '../io/source-folder.ts';
import { wholeBody } from './body.ts';
import { contentHash } from './content-hash.ts';
import { RemoteBytes } from './remote-bytes.ts';
import { request } from './request.ts';
import type { HubRun } from './run.ts';
import { contentId, contentUrl, type HubFile, type HubTree, isLarge } from './tree.ts';

/** Git keeps larger ones in LFS on the Hub. */
const MAX_GIT_BLOB = 64_000_000;

/** A folder of a repository whose files are read where they are; `path` is that of the folder, none for the root. */
export function remoteFolder(run: HubRun, tree: HubTree, path?: string): SourceFolder {
  return new SourceFolder(new RemoteFolder(run, tree, path === undefined ? '' : `${path}/`));
}

class RemoteFolder implements FolderSource {
  readonly name: string;
  readonly origin: HubOrigin;
  readonly entries: readonly string[];
  readonly #run: HubRun;
  readonly #files: ReadonlyMap<string, HubFile>;

  constructor(run: HubRun, { repository, revision, files }: HubTree, prefix: string) {
    this.name = repository.split('/').at(-1)!;
    this.origin = { repository, revision };
    this.#run = run;
    this.#files = new Map(
      files
        .filter((file) => file.path.startsWith(prefix) && !file.path.includes('/', prefix.length))
        .map((file) => [file.path.slice(prefix.length), file]),
    );
    this.entries = [...this.#files.keys()];
  }

  async open(name: string, label: string): Promise<InputFile> {
    const file = this.#files.get(name)!;
    if (isLarge(file)) return new InputFile(label, new RemoteBytes(this.#run, this.origin, file));
    return new InputFile(label, await this.#fetch(file));
  }

  /** Git's hash is none that reading computes: small files are taken whole and compared here. */
  async #fetch(file: HubFile): Promise<ByteSource> {
    const { settings } = this.#run;
    const name = `${this.origin.repository}/${file.path}`;
    const answer = await request(this.#run, name, contentUrl(settings, this.origin, file), {
      headers: new Headers({ 'Accept-Encoding': 'identity' }),
    });
    const limit = Math.min(file.bytes, MAX_GIT_BLOB);
    const content = await wholeBody(answer, name, { timeout: settings.timeout, limit });
    const got = contentHash(file).update(content).digest('hex');
    if (got !== file.oid) {
      const what = 'git hash of what the server sends';
      throw new PressError('network', { file: name, what, got, expected: contentId(file) });
    }
    return {
      bytes: content.length,
      read: async (into, offset) => content.copy(into, 0, offset),
      confirm: async () => {},
      close: async () => {},
    };
  }
}
