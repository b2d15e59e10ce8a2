import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { holdsModel } from '../../../formats/gguf/container/kind.ts';
import { isHfFolder } from '../../../formats/hf/import.ts';
import { GRAPH_FOLDER } from '../../../formats/onnx/folder/graph-file.ts';
import { adapterAsSource } from '../../../formats/peft/adapter.ts';
import { invalidInput, localIo, usage } from '../../core/errors.ts';
import { ADAPTER_CONFIG } from '../../core/lora.ts';
import { EntryNames } from '../../io/entry-names.ts';
import { InputFile } from '../../io/input-file.ts';
import { assertInside, SourceFolder } from '../../io/source-folder.ts';
import { CHECKPOINT } from './checkpoint.ts';
import { GGUF } from './gguf.ts';
import { SOURCE_FORMATS } from './index.ts';
import type { Listing } from './listing.ts';
import { type LocatedModel, locate, nameOf, withoutCompanions } from './locate.ts';
import type { SourceFormat } from './source-format.ts';

/** A model on this machine. */
export interface PlacedModel {
  readonly format: SourceFormat;
  /** Path of its file, or of its folder. */
  readonly place: string;
}

/**
 * Finds the one model that a path means: the file itself, or the model in the folder. A checkpoint takes
 * precedence over other models in its folder.
 * @throws PressError usage if a folder has several models, and for a part of a checkpoint; invalid-input if a
 * folder has none.
 */
export async function modelAt(spec: string): Promise<PlacedModel> {
  if (!(await isFolder(spec))) return { format: formatOfFile(spec), place: spec };
  const located = locate(await listingAt(spec));
  if (located[0]?.format === CHECKPOINT) return { format: CHECKPOINT, place: spec };
  const found = await onlyModels(spec, located);
  const folder = await SourceFolder.open(path.resolve(spec));
  if (folder.has(ADAPTER_CONFIG)) throw adapterAsSource(folder.name, spec);
  if (found.length > 1) {
    const names = found.map((model) => path.join(spec, nameOf(model)));
    throw usage(`${spec} holds ${names.length} models, name one of them: ${names.join(', ')}`);
  }
  const [only] = found;
  if (only !== undefined) {
    if (only.path !== '') await assertInside(spec, only.path);
    return { format: only.format, place: only.path === '' ? spec : path.join(spec, only.path) };
  }
  // Repositories of GGUF files often keep the config.json of what they were made of.
  if (isHfFolder(folder)) return { format: CHECKPOINT, place: spec };
  const expected = 'config.json and safetensors files, a .gguf file, an ONNX graph or a bundle';
  throw invalidInput({ file: spec, what: 'no model in this folder', expected });
}

/**
 * Every model in a folder on this machine.
 * @throws PressError local-io where it cannot be read.
 */
export async function locateIn(folder: string): Promise<LocatedModel[]> {
  return onlyModels(folder, locate(await listingAt(folder)));
}

/** Without GGUF files that accompany a model, by their headers. */
async function onlyModels(folder: string, located: readonly LocatedModel[]): Promise<LocatedModel[]> {
  const ggufs = located.filter(({ format }) => format === GGUF);
  if (ggufs.length < 2) return [...located];
  const isModel = await Promise.all(ggufs.map(({ path: file }) => mayHoldModel(path.join(folder, file))));
  const companions = ggufs.filter((_, index) => !isModel[index]);
  return withoutCompanions(located, new Set(companions.map((model) => model.path)));
}

/**
 * Names in a folder on this machine and in the folders there.
 * @throws PressError local-io if it, or its folder of graphs, cannot be read.
 */
export async function listingAt(folder: string): Promise<Listing> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error) => {
    throw localIo(folder, error);
  });
  const folders = new Map<string, EntryNames>();
  for (const entry of entries) {
    if (entry.isFile()) continue;
    const inner = await readdir(path.join(folder, entry.name)).catch((error) => {
      // A link may lead to a file, and folders of others do not matter, but graphs must not be overlooked.
      if (entry.name === GRAPH_FOLDER && error.code === 'EACCES') throw localIo(entry.name, error);
      return [];
    });
    folders.set(entry.name, new EntryNames(inner));
  }
  return { entries: new EntryNames(entries.map(({ name }) => name)), folders };
}

/** Whether a path leads to a folder on this machine. */
export async function isFolder(place: string): Promise<boolean> {
  return stat(place).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}

/** A file of unknown kind is opened as a GGUF, whose importer then says what is wrong. */
function formatOfFile(file: string): SourceFormat {
  const name = path.basename(file);
  const format = SOURCE_FORMATS.find(({ isModelFile }) => isModelFile(name));
  if (format === undefined && /\.(safetensors|json|bin)$/i.test(name)) {
    throw usage(`${name} is a part of a checkpoint`, 'the folder that holds it');
  }
  return format ?? GGUF;
}

/** A file that cannot be opened may be a model, such as one whose first shard is missing. */
async function mayHoldModel(file: string): Promise<boolean> {
  const input = await InputFile.open(file, path.basename(file)).catch(() => undefined);
  if (input === undefined) return true;
  try {
    return await holdsModel(input);
  } finally {
    await input.close();
  }
}
