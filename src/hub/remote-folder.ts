import { PressError } from '../core/errors.ts';
import type { HubOrigin } from '../core/hub-origin.ts';
import { type ByteSource, InputFile } from '../io/input-file.ts';
import { type FolderSource, SourceFolder } from '../io/source-folder.ts';
import { contentHash } from './cache/content-hash.ts';
import { wholeBody } from './http/body.ts';
import { request } from './http/request.ts';
import { RemoteBytes } from './remote-bytes.ts';
import type { HubRun } from './run.ts';
import { contentId, contentUrl, type HubFile, type HubTree, isLarge } from './tree.ts';

/** Git keeps larger ones in LFS on the Hub. */
const MAX_GIT_BLOB = 64_000_000;

/**
 * A folder of a repository whose files are read where they are; `path` is that of the folder, empty for the
 * root.
 */
export function remoteFolder(run: HubRun, tree: HubTree, path = ''): SourceFolder {
  return new SourceFolder(new RemoteFolder(run, tree, path === '' ? '' : `${path}/`));
}

class RemoteFolder implements FolderSource {
  readonly name: string;
  readonly origin: HubOrigin;
  readonly entries: readonly string[];
  readonly #run: HubRun;
  readonly #tree: HubTree;
  readonly #prefix: string;
  readonly #files: ReadonlyMap<string, HubFile>;

  constructor(run: HubRun, tree: HubTree, prefix: string) {
    const { repository, revision, files } = tree;
    this.#tree = tree;
    this.#prefix = prefix;
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

  async folder(name: string): Promise<FolderSource | undefined> {
    const inside = new RemoteFolder(this.#run, this.#tree, `${this.#prefix}${name}/`);
    return inside.entries.length === 0 ? undefined : inside;
  }

  async open(name: string, label: string): Promise<InputFile> {
    const file = this.#files.get(name)!;
    if (isLarge(file)) return new InputFile(label, new RemoteBytes(this.#run, this.origin, file));
    return new InputFile(label, this.#whole(file));
  }

  /** A small file, which is fetched when it is read. */
  #whole(file: HubFile): ByteSource {
    let content: Promise<Buffer> | undefined;
    return {
      bytes: file.bytes,
      read: async (into, offset) => {
        content ??= this.#fetch(file);
        return (await content).copy(into, 0, offset);
      },
      confirm: async () => {},
      close: async () => {},
    };
  }

  /** Git's hash is none that reading computes: small files are taken whole and compared here. */
  async #fetch(file: HubFile): Promise<Buffer> {
    const { settings } = this.#run;
    const name = `${this.origin.repository}/${file.path}`;
    const answer = await request(this.#run, name, contentUrl(settings, this.origin, file), {
      headers: new Headers({ 'Accept-Encoding': 'identity' }),
    });
    const limit = Math.min(file.bytes, MAX_GIT_BLOB);
    const content = await wholeBody(answer, name, { timeout: settings.timeout, limit });
    const got = contentHash(file).update(content).digest('hex');
    if (got !== file.oid) {
      const what = 'git hash of the bytes from the server';
      throw new PressError('network', { file: name, what, got, expected: contentId(file) });
    }
    return content;
  }
}
