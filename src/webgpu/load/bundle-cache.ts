import type { BundleFile } from '../manifest.ts';
import { chunksOf } from './chunks.ts';

/** One for all bundles of an origin: equal files are kept once. */
const CACHE = 'plmpress-bundles';

/** Requests are only keys here. This host never exists (RFC 6761). */
const BY_HASH = 'https://plmpress.invalid/';
const keyOf = ({ sha256 }: BundleFile) => BY_HASH + sha256;

/** The Cache API as a store of files by their hash, and of manifests by their address. */
export class BundleCache {
  readonly #cache: Cache;

  private constructor(cache: Cache) {
    this.#cache = cache;
  }

  /** Undefined where there is no such thing: insecure pages, private windows of some browsers. */
  static async open(): Promise<BundleCache | undefined> {
    try {
      return new BundleCache(await caches.open(CACHE));
    } catch {
      return undefined;
    }
  }

  /**
   * Reads a file into `room`, if that has its size at least. What is damaged may have another length than the
   * file.
   */
  async read(file: BundleFile, room?: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (room === undefined) return this.#read(keyOf(file));
    try {
      const response = await this.#cache.match(keyOf(file));
      return response && (await readInto(response, room.subarray(0, file.bytes)));
    } catch {
      return undefined;
    }
  }

  /** Throws what the browser throws, `QuotaExceededError` above all. */
  async keep(file: BundleFile, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    await this.#cache.put(keyOf(file), new Response(bytes));
  }

  async drop(file: BundleFile): Promise<void> {
    await this.#cache.delete(keyOf(file));
  }

  readManifest(url: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.#read(url);
  }

  async keepManifest(url: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    await this.#cache.put(url, new Response(bytes));
  }

  async dropManifest(url: string): Promise<void> {
    await this.#cache.delete(url);
  }

  /** All manifests but that of `url`. */
  async otherManifests(url: string): Promise<Uint8Array<ArrayBuffer>[]> {
    const addresses = (await this.#cache.keys()).map((request) => request.url);
    const others = addresses.filter((address) => address !== url && !address.startsWith(BY_HASH));
    const found = await Promise.all(others.map((address) => this.#read(address)));
    return found.filter((bytes) => bytes !== undefined);
  }

  async #read(key: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    try {
      const response = await this.#cache.match(key);
      return response && new Uint8Array(await response.arrayBuffer());
    } catch {
      // Browsers evict as they like, even while a file is read.
      return undefined;
    }
  }
}

/** The bytes of a body, in `room`; none where there are more than fit. */
async function readInto(response: Response, room: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  let filled = 0;
  for await (const chunk of chunksOf(response)) {
    if (filled + chunk.length > room.length) return room.subarray(0, 0);
    room.set(chunk, filled);
    filled += chunk.length;
  }
  return room.subarray(0, filled);
}
