import type { Model } from '../../src/core/model.ts';
import type { SchemeName } from '../../src/core/scheme.ts';
import type { EntryNames } from '../../src/io/entry-names.ts';
import type { InputFile } from '../../src/io/input-file.ts';
import { readStateDict } from '../pytorch/state-dict.ts';
import { schemeOfDtype } from '../safetensors/dtype.ts';
import { readHeader } from '../safetensors/reader.ts';

/** A tensor as its container lists it. */
export interface ListedTensor {
  readonly name: string;
  /** Name of the dtype in the container. */
  readonly dtype: string;
  /** The scheme that holds the same bytes; undefined for dtypes in which no weights are read. */
  readonly scheme: SchemeName | undefined;
  readonly shape: readonly number[];
  /** Byte offset in the file. */
  readonly offset: number;
}

/** A kind of file that weights come in, and its names in a folder. */
export interface Container {
  readonly format: Model['format'];
  /** Name of the file that holds all weights. */
  readonly single: string;
  /** Name of the file that lists shards. */
  readonly index: string;
  /** Of shards, with the dot. */
  readonly extension: string;
  /** Shards whose names have their count, as `save_pretrained` names them. */
  readonly numbered: RegExp;
  /** Reads and checks what a file says of its tensors, but no weight. */
  readonly read: (file: InputFile) => Promise<readonly ListedTensor[]>;
}

/** In the order in which they are looked for, as in Transformers. */
export const CONTAINERS: readonly Container[] = [
  {
    format: 'safetensors',
    single: 'model.safetensors',
    index: 'model.safetensors.index.json',
    extension: '.safetensors',
    numbered: /^[\w.-]*-\d+-of-(\d+)\.safetensors$/,
    read: async (file) => {
      const { tensors } = await readHeader(file);
      return [...tensors.values()].map((entry) => ({ ...entry, scheme: schemeOfDtype(entry.dtype) }));
    },
  },
  {
    format: 'pytorch',
    single: 'pytorch_model.bin',
    index: 'pytorch_model.bin.index.json',
    extension: '.bin',
    numbered: /^pytorch_model-\d+-of-(\d+)\.bin$/,
    read: readStateDict,
  },
];

/**
 * The container in which a folder with these entries holds weights, or shards of weights whose index is
 * missing.
 */
export function containerAmong(entries: EntryNames): Container | undefined {
  const names = [...entries];
  return (
    CONTAINERS.find(({ single, index }) => entries.has(single) || entries.has(index)) ??
    CONTAINERS.find(({ numbered }) => names.some((name) => numbered.test(name)))
  );
}
