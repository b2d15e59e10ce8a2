import path, { posix } from 'node:path';
import { ggufPasses } from '../../../formats/gguf/architecture.ts';
import { siblingShardNames } from '../../../formats/gguf/container/shards.ts';
import { planGguf } from '../../../formats/gguf/export.ts';
import { openGguf, readGgufModel } from '../../../formats/gguf/import.ts';
import { RECIPES, recipeNamed } from '../../../formats/gguf/recipes.ts';
import { VERSION } from '../version.ts';
import type { Format } from './format.ts';

const isGguf = (name: string) => /^[^.].*\.gguf$/is.test(name);

export const GGUF: Format = {
  reads: ['gguf'],
  // The first shard stands for a split model, even if it is missing.
  locate: ({ entries }) => {
    const names = [...entries].filter(isGguf);
    return [...new Set(names.map((name) => siblingShardNames(name)?.[0] ?? name))].sort();
  },
  isModelFile: isGguf,
  shareFiles: false,
  filesOf: (files, [file = '']) => {
    const { dir, base } = posix.parse(file);
    const shards = new Set((siblingShardNames(base) ?? [base]).map((name) => posix.join(dir, name)));
    return files.filter((listed) => shards.has(listed.path));
  },
  open: openGguf,
  read: ({ folderAt }, file) => {
    const { dir, base } = posix.parse(file);
    const folder = folderAt(dir);
    return readGgufModel(base, (name) => folder.open(name));
  },
  rootOf: (place) => ({ folder: path.dirname(place), path: path.basename(place) }),
  holdsHashes: false,
  // llama.cpp has no key for it.
  holdsNormalizer: false,
  streams: true,

  kind: 'recipe',
  named: (recipe) => recipeNamed(recipe).name,
  names: RECIPES.flatMap(({ name, alias }) => (alias === undefined ? [name] : [name, alias])),
  options: ['quality', 'ggufArch', 'tokenEmbedding', 'tensorTypes', 'pure', 'kvBRule', 'shardSize'],
  unrecorded: ['strict', 'allocation'],
  passes: (model, { arch }) => ggufPasses(model, arch),
  plan: (model, recipe, options) => ({
    plan: planGguf(model, {
      recipe,
      version: VERSION,
      ...options,
      ...(model.importances && { imatrix: model.importances }),
    }),
  }),
  fileNames: [/^[^./][^/]*\.gguf$/],
  mainFile: '.gguf',
  opens: 'file',
  holdsFiring: false,
  // llama.cpp keeps the keys and values of arch plm expanded and the latent of deepseek2.
  cacheOf: ({ ggufArch }) => (ggufArch === 'deepseek2' ? 'latent' : 'expanded'),
};
