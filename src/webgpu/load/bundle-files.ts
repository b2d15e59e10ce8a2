import { BundleError } from '../bundle-error.ts';
import type { BundleFile, BundleManifest } from '../manifest.ts';
import { readManifest } from '../read-manifest.ts';
import { BundleCache } from './bundle-cache.ts';
import { type DownloadOptions, download, downloadSmall } from './download.ts';
import { sha256 } from './sha256.ts';

const MANIFEST = 'manifest.json';

/** Where the bytes of a bundle came from and whether they stay, for people who wonder about their disk. */
export interface StorageStats {
  readonly networkBytes: number;
  readonly cachedBytes: number;
  /** Bytes of the bundle that a next visit finds in the cache. */
  readonly keptBytes: number;
  /** Why not all of them are kept. */
  readonly note?: string;
}

export interface BundleFilesOptions {
  /** Default true: keeps what comes, and reads what is kept. */
  readonly cache?: boolean;
  /** SHA-256 of manifest.json in hex, for pages that trust no other. */
  readonly expectedManifestSha256?: string;
  readonly signal?: AbortSignal | undefined;
}

/** The files of a bundle, from the cache or the network, whole and verified. */
export class BundleFiles {
  readonly manifest: BundleManifest;
  readonly #url: string;
  readonly #cache: BundleCache | undefined;
  #networkBytes = 0;
  #cachedBytes = 0;
  readonly #kept = new Map<string, number>();
  #note: string | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(manifest: BundleManifest, url: string, cache: BundleCache | undefined, note?: string) {
    this.manifest = manifest;
    this.#url = url;
    this.#cache = cache;
    this.#note = note;
  }

  /**
   * Fetches the manifest; where that fails, takes the one in the cache. `url` is that of the bundle's folder
   * or of its manifest, relative to the page. Throws `BundleError`, or the reason of an abort.
   */
  static async open(url: string | URL, options: BundleFilesOptions = {}): Promise<BundleFiles> {
    const address = manifestAddress(url);
    const cache = options.cache === false ? undefined : await BundleCache.open();
    const kept = await cache?.readManifest(address);
    const bytes = await fetchManifest(address, kept, options.signal);
    const { expectedManifestSha256: expected } = options;
    if (expected !== undefined && (await sha256(bytes)) !== expected.toLowerCase()) {
      throw new BundleError(
        'invalid-bundle',
        `${MANIFEST}: its SHA-256 is not the one that the page expects`,
      );
    }
    const manifest = readManifest(new TextDecoder().decode(bytes));
    const note = cache === undefined ? noCache(options) : undefined;
    const files = new BundleFiles(manifest, address, cache, note);
    await files.#keepManifest(bytes, kept);
    return files;
  }

  get storage(): StorageStats {
    const keptBytes = [...this.#kept.values()].reduce((sum, bytes) => sum + bytes, 0);
    return {
      networkBytes: this.#networkBytes,
      cachedBytes: this.#cachedBytes,
      keptBytes,
      ...(this.#note !== undefined && { note: this.#note }),
    };
  }

  /**
   * Bytes of a file of the manifest, as its hash wants them, in `room` where that is given. `onBytes` takes
   * how many are there now. Throws `BundleError`: `invalid-bundle` where the server sends others, `network`
   * where it sends none.
   */
  async read(
    file: BundleFile,
    options: Pick<DownloadOptions, 'signal' | 'onBytes' | 'room'> = {},
  ): Promise<Uint8Array<ArrayBuffer>> {
    const { signal, onBytes, room } = options;
    const kept = await this.#readKept(file, room);
    signal?.throwIfAborted();
    if (kept !== undefined) {
      onBytes?.(file.bytes);
      return kept;
    }
    const url = new URL(file.file, this.#url).href;
    // What the Cache API keeps need not be kept by the HTTP cache too.
    const first = this.#cache === undefined ? {} : { cache: 'no-store' as const };
    let bytes = await download(url, file, { ...options, ...first });
    // A cache on the way may hold what was damaged there once.
    if (!(await this.#intact(file, bytes)))
      bytes = await download(url, file, { ...options, cache: 'reload' });
    if (!(await this.#intact(file, bytes))) {
      throw new BundleError(
        'invalid-bundle',
        `${file.file}: damaged: its SHA-256 is not that of the manifest`,
      );
    }
    this.#networkBytes += file.bytes;
    await this.#inTurn(() => this.#keep(file, bytes));
    return bytes;
  }

  async #readKept(
    file: BundleFile,
    room?: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const bytes = await this.#cache?.read(file, room);
    if (bytes === undefined) return undefined;
    if (!(await this.#intact(file, bytes))) {
      await this.#cache!.drop(file);
      return undefined;
    }
    this.#cachedBytes += file.bytes;
    this.#kept.set(file.sha256, file.bytes);
    return bytes;
  }

  async #keep(file: BundleFile, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.#cache === undefined || this.#note !== undefined) return;
    try {
      await this.#cache.keep(file, bytes);
      this.#kept.set(file.sha256, file.bytes);
    } catch (error) {
      this.#note = refusedBy(error);
    }
  }

  async #intact({ bytes: size, sha256: expected }: BundleFile, bytes: Uint8Array<ArrayBuffer>) {
    return bytes.length === size && (await this.#inTurn(() => sha256(bytes))) === expected;
  }

  /** Browsers copy what they hash and what they keep: one file at a time, so that one copy is held. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work, work);
    this.#turn = result;
    return result;
  }

  /** Keeps the manifest for visits without a network, and lets go of files that only its predecessor had. */
  async #keepManifest(
    bytes: Uint8Array<ArrayBuffer>,
    previous: Uint8Array<ArrayBuffer> | undefined,
  ): Promise<void> {
    if (this.#cache === undefined) return;
    try {
      if (previous !== undefined) await dropFiles(this.#cache, this.#url, previous, files(this.manifest));
      await this.#cache.keepManifest(this.#url, bytes);
    } catch (error) {
      this.#note = refusedBy(error);
    }
  }
}

/** Removes what `load` has kept of a bundle; files that another bundle has too stay. */
export async function clearCache(url: string | URL): Promise<void> {
  const address = manifestAddress(url);
  const cache = await BundleCache.open();
  const manifest = await cache?.readManifest(address);
  if (cache === undefined || manifest === undefined) return;
  await dropFiles(cache, address, manifest, []);
  await cache.dropManifest(address);
}

/** Drops the files of `manifest`, which was that of `url`, but those of `needed` and of other bundles. */
async function dropFiles(
  cache: BundleCache,
  url: string,
  manifest: Uint8Array<ArrayBuffer>,
  needed: readonly BundleFile[],
): Promise<void> {
  const others = (await cache.otherManifests(url)).flatMap(filesOf);
  const stay = new Set([...needed, ...others].map(({ sha256 }) => sha256));
  for (const file of filesOf(manifest)) if (!stay.has(file.sha256)) await cache.drop(file);
}

function filesOf(manifest: Uint8Array<ArrayBuffer>): readonly BundleFile[] {
  try {
    return files(readManifest(new TextDecoder().decode(manifest)));
  } catch {
    // Of another version: its files are not known.
    return [];
  }
}

function files({ tokenizer, shards }: BundleManifest): readonly BundleFile[] {
  return [tokenizer, ...shards];
}

function manifestAddress(url: string | URL): string {
  const address = new URL(url, globalThis.location?.href);
  address.hash = '';
  if (!address.pathname.endsWith('.json')) {
    address.pathname = `${address.pathname.replace(/\/$/, '')}/${MANIFEST}`;
  }
  return address.href;
}

async function fetchManifest(
  url: string,
  kept: Uint8Array<ArrayBuffer> | undefined,
  signal: AbortSignal | undefined,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    // With one at hand nobody has to wait for a network that may not be there.
    const pauses = kept === undefined ? {} : { pauses: [] };
    return await downloadSmall(url, MANIFEST, { signal, ...pauses, cache: 'no-cache' });
  } catch (error) {
    if (kept === undefined || signal?.aborted) throw error;
    return kept;
  }
}

function noCache({ cache }: BundleFilesOptions): string {
  return cache === false
    ? 'nothing is kept: the cache is switched off'
    : 'nothing is kept: the browser offers no cache here';
}

function refusedBy(error: unknown): string {
  const name = error instanceof Error || error instanceof DOMException ? error.name : String(error);
  return name === 'QuotaExceededError'
    ? 'not all is kept: the browser allows this site no more storage'
    : `not all is kept: the cache refuses it (${name})`;
}
