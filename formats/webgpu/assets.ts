import { readdir, readFile } from 'node:fs/promises';
import { localIo } from '../../src/core/errors.ts';

/** Files of this package that every bundle holds a copy of. Paths are those of a build. */
const RUNTIME = new URL('../../src/webgpu/runtime.js', import.meta.url);
const PAGE = new URL('./page/', import.meta.url);

export interface Asset {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface Assets {
  readonly runtime: Asset;
  /** What makes the folder a page; none where the build has no page. */
  readonly page: readonly Asset[];
}

/** @throws PressError local-io where the package is not whole. */
export async function readAssets(): Promise<Assets> {
  const names = await readdir(PAGE).catch(() => []);
  const page = names.filter((name) => !name.endsWith('.d.ts')).sort();
  return {
    runtime: await readAsset('runtime.js', RUNTIME),
    page: await Promise.all(page.map((name) => readAsset(name, new URL(name, PAGE)))),
  };
}

async function readAsset(name: string, url: URL): Promise<Asset> {
  const bytes = await readFile(url).catch((error) => {
    throw localIo(name, error);
  });
  return { name, bytes };
}
