import { posix } from 'node:path';
import { isCompanionName } from '../../../formats/gguf/companion-name.ts';
import { adapterAsSource } from '../../../formats/peft/adapter.ts';
import { invalidInput, type PressError, usage } from '../../core/errors.ts';
import { ADAPTER_CONFIG } from '../../core/lora.ts';
import { CHECKPOINT } from '../formats/checkpoint.ts';
import { GGUF } from '../formats/gguf.ts';
import { SOURCE_FORMATS } from '../formats/index.ts';
import { listingOf } from '../formats/listing.ts';
import { type LocatedModel, locate, nameOf, withoutCompanions } from '../formats/locate.ts';
import type { ListedFile } from '../formats/source-format.ts';
import { MANIFEST_NAME } from '../record/manifest.ts';

/** The model of a repository: the files that opening it takes, and where it is among them. */
export interface NeededFiles<File extends ListedFile> {
  readonly files: readonly File[];
  /** Path in the repository, of a file or a folder; left out: the root. */
  readonly path?: string;
  /** By their paths in the repository. Several come together where they share files; one of them is meant. */
  readonly models: readonly LocatedModel[];
}

/**
 * Picks what a model needs out of all that a repository holds. `path` names a file or a folder of it.
 * Checkpoints come before models that lie beside them, as in folders. The record of plmpress comes along
 * where there is one.
 * @throws PressError `invalid-input` where there is no model, `usage` where there are several.
 */
export function neededFiles<File extends ListedFile>(
  repository: string,
  listed: readonly File[],
  path?: string,
): NeededFiles<File> {
  const isFile = path !== undefined && listed.some((entry) => entry.path === path);
  const models = isFile ? [modelFile(path)] : modelsIn(repository, listed, path);
  const paths = models.map((model) => model.path);
  const needed = new Set(models[0]!.format.filesOf(listed, paths));
  const files = listed.filter((entry) => needed.has(entry) || entry.path === MANIFEST_NAME);
  // Models that share files lie in the folder that was asked for.
  const place = models[0]!.format.shareFiles && !isFile ? (path ?? '') : models[0]!.path;
  return place === '' ? { files, models } : { files, models, path: place };
}

/** The model that one named file opens. */
function modelFile(path: string): LocatedModel {
  const format = SOURCE_FORMATS.find(({ isModelFile }) => isModelFile(posix.basename(path)));
  if (format === undefined) throw usage(`${path} is a part of a model`, 'the folder that holds it');
  return { format, path };
}

function modelsIn(repository: string, listed: readonly ListedFile[], folder?: string): LocatedModel[] {
  const prefix = folder === undefined ? '' : `${folder}/`;
  const inside = listed.filter((entry) => entry.path.startsWith(prefix));
  const listing = listingOf(inside.map((entry) => entry.path.slice(prefix.length)));
  const located = locate(listing).filter(
    // A split GGUF without its first shard cannot be opened.
    ({ format, path }) => format !== GGUF || listing.entries.has(path),
  );
  // Of files on the Hub the header is not at hand.
  const companions = located.map(({ path }) => path).filter(isCompanionName);
  const found = withoutCompanions(located, new Set(companions));
  const inRepository = ({ format, path }: LocatedModel) => ({
    format,
    path: path === '' ? (folder ?? '') : `${prefix}${path}`,
  });
  const [first] = found;
  if (first?.format === CHECKPOINT) return [inRepository(first)];
  if (first !== undefined) {
    const areTogether = first.format.shareFiles && found.every(({ format }) => format === first.format);
    if (found.length > 1 && !areTogether) {
      throw severalModels(
        repository,
        found.map((model) => `${prefix}${nameOf(model)}`),
      );
    }
    return found.map(inRepository);
  }
  if (listing.entries.has(ADAPTER_CONFIG)) {
    throw adapterAsSource(repository, folder === undefined ? repository : `hf://${repository}/${folder}`);
  }
  const expected = 'config.json and weights, a .gguf file, an ONNX graph or a bundle';
  throw invalidInput({ file: repository, what: 'no model in this repository', expected });
}

/** The error for a repository in which a model has to be named. */
export function severalModels(repository: string, choices: readonly string[]): PressError {
  return usage(
    `${repository} holds ${choices.length} models: ${choices.join(', ')}`,
    `one of them, as hf://${repository}/${choices[0]!}`,
  );
}
