import { CONTAINERS, containerAmong } from '../../../formats/hf/container.ts';
import { openHfFolder, readHfFolder } from '../../../formats/hf/import.ts';
import { isTokenizerFile } from '../../../formats/hf/tokenizer-files.ts';
import { listingOf } from './listing.ts';
import type { SourceFormat } from './source-format.ts';

/** Files of a checkpoint beside its weights and its tokenizer. */
const COMPANIONS = new Set(['config.json', 'generation_config.json', 'README.md']);

/** A folder of Hugging Face. Checkpoints are read and not written. */
export const CHECKPOINT: SourceFormat = {
  reads: CONTAINERS.map(({ format }) => format),
  locate: ({ entries }) => (containerAmong(entries) === undefined ? [] : ['']),
  isModelFile: () => false,
  shareFiles: false,
  filesOf: (files, [path = '']) => {
    const prefix = path === '' ? '' : `${path}/`;
    const inside = files.filter((file) => file.path.startsWith(prefix));
    const { entries } = listingOf(inside.map((file) => file.path.slice(prefix.length)));
    const { single, index, extension } = containerAmong(entries)!;
    // On the Hub too, names may differ in case.
    const [whole, list] = [entries.find(single), entries.find(index)];
    const isWeights = (name: string) =>
      whole === undefined
        ? name === list || (name.endsWith(extension) && /-of-\d+\./.test(name))
        : name === whole;
    return inside.filter((file) => {
      const name = file.path.slice(prefix.length);
      const isCompanion = COMPANIONS.has(name) || isTokenizerFile(name, (other) => entries.has(other));
      return isCompanion || (entries.has(name) && isWeights(name));
    });
  },
  open: openHfFolder,
  read: ({ folderAt }, path) => readHfFolder(folderAt(path)),
  rootOf: (place) => ({ folder: place, path: '' }),
  holdsHashes: false,
  holdsNormalizer: true,
  streams: true,
};
