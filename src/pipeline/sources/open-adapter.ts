import { stat } from 'node:fs/promises';
import path from 'node:path';
import { MAGIC } from '../../../formats/gguf/container/types.ts';
import { ADAPTER_WEIGHTS, openAdapter } from '../../../formats/peft/adapter.ts';
import { invalidInput, localIo, unsupported, usage } from '../../core/errors.ts';
import { ADAPTER_CONFIG, type LoraAdapter } from '../../core/lora.ts';
import { orFromCache } from '../../hub/cache/or-from-cache.ts';
import { takeSnapshot } from '../../hub/cache/snapshot.ts';
import type { HubRun } from '../../hub/run.ts';
import { InputFile } from '../../io/input-file.ts';
import { type FoundOnHub, findOnHub } from './open-hub.ts';

const NEEDED = [ADAPTER_CONFIG, ADAPTER_WEIGHTS];

/**
 * Opens an adapter of PEFT, in a folder or on the Hub. A path that exists wins over a Hub id.
 * @throws PressError local-io where nothing is there; usage for a part of an adapter; unsupported for a GGUF;
 * network as the Hub's clients do; invalid-input and unsupported as `openAdapter` does.
 */
export async function openAdapterAt(spec: string, run: HubRun): Promise<LoraAdapter> {
  const folder = await localFolder(spec);
  if (folder !== undefined) return openAdapter(folder);
  return openAdapter(await orFromCache(run, async (run) => fetchAdapter(await findOnHub(spec, run))));
}

/** The path, if a folder is there; undefined where nothing is. */
async function localFolder(spec: string): Promise<string | undefined> {
  const stats = await stat(spec).catch((error) => {
    if (error.code === 'ENOENT') return undefined;
    throw localIo(spec, error);
  });
  if (stats === undefined || stats.isDirectory()) return stats && spec;
  if (await isGguf(spec)) {
    const what = 'adapters in GGUF files are not read';
    throw unsupported({ file: spec, what, expected: 'the PEFT folder that it was converted from' });
  }
  throw usage(`${path.basename(spec)} is not the folder of an adapter`, `one with ${NEEDED.join(' and ')}`);
}

async function isGguf(place: string): Promise<boolean> {
  const file = await InputFile.open(place, place);
  try {
    const head = new Uint8Array(Math.min(file.bytes, MAGIC.length));
    await file.readInto(head, 0);
    return Buffer.from(head).toString('latin1') === MAGIC;
  } finally {
    await file.close();
  }
}

/** Brings the files of an adapter into the cache and returns the path of their folder there. */
async function fetchAdapter({ run, source, tree }: FoundOnHub): Promise<string> {
  const paths = NEEDED.map((name) => (source.path === undefined ? name : `${source.path}/${name}`));
  const files = tree.files.filter((file) => paths.includes(file.path));
  if (!files.some((file) => file.path === paths[0])) {
    throw invalidInput({
      file: source.repository,
      what: 'no adapter in this repository',
      expected: paths[0]!,
    });
  }
  const snapshot = await takeSnapshot({ ...run, source, tree, files });
  return path.join(snapshot, ...(source.path?.split('/') ?? []));
}
