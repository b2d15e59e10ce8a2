import path from 'node:path';
import { invalidInput, PressError } from '../../src/core/errors.ts';
import { closeModel, type Model, type ModelCard, type SourceFile } from '../../src/core/model.ts';
import { SourceFolder } from '../../src/io/source-folder.ts';
import { parseCard } from './card.ts';
import { openCheckpoint } from './checkpoint.ts';
import { parseConfig } from './config.ts';
import { CONTAINERS, type Container, containerOf } from './container.ts';
import { NO_GENERATION, parseGeneration } from './generation.ts';
import { matchTensors } from './tensor-table.ts';
import { parseHfTokenizer } from './tokenizer.ts';
import { type ReadFile, readTokenizerFiles } from './tokenizer-files.ts';

/** Limit of huggingface.js for config.json; the other small files are no larger. */
const MAX_CONFIG_BYTES = 10_000_000;
/** Cards are some ten kilobytes of prose. */
const MAX_CARD_BYTES = 1_000_000;

const GENERATION_FILE = 'generation_config.json';
const CARD_FILE = 'README.md';

/** Names of pickles; those that a container does not claim are training states, adapters and the like. */
const PICKLE = /^(pytorch|adapter)_model.*\.bin$|\.(pt|pth|ckpt)$/;

/** Whether `folder` looks like a checkpoint, complete or not; `readHfFolder` says what it lacks. */
export function isHfFolder({ entries }: SourceFolder): boolean {
  return [...entries].some(
    (name) =>
      name === 'config.json' ||
      name.endsWith('.safetensors') ||
      CONTAINERS.some(({ index }) => name === index) ||
      PICKLE.test(name),
  );
}

/** Whether `folder` holds weights as checkpoints do. */
export function hasHfWeights(folder: SourceFolder): boolean {
  return containerOf(folder) !== undefined;
}

/** Opens a folder on this machine as `readHfFolder` does. */
export async function openHfFolder(folderPath: string): Promise<Model> {
  return readHfFolder(await SourceFolder.open(path.resolve(folderPath)));
}

/**
 * Opens a Hugging Face folder of a PLM: config.json, generation_config.json, tokenizer files, model card and
 * weights in safetensors or files of PyTorch, of which only headers are read. Close the model when done with it.
 */
export async function readHfFolder(folder: SourceFolder): Promise<Model> {
  const files: SourceFile[] = [];
  try {
    return await readModel(folder, files);
  } catch (error) {
    await closeModel({ files });
    throw error;
  }
}

async function readModel(folder: SourceFolder, files: SourceFile[]): Promise<Model> {
  const read: ReadFile = async (name, maxBytes, inside) => {
    const label = inside === undefined ? name : `${inside.path}/${name}`;
    const file = await (inside?.folder ?? folder).readText(name, maxBytes, label);
    files.push(file);
    return file.text;
  };
  const sourceConfig = await read('config.json', MAX_CONFIG_BYTES);
  const config = parseConfig(sourceConfig, 'config.json');
  const container = weightsContainer(folder);
  const checkpoint = await openCheckpoint(folder, container, files);
  const table = matchTensors(config.plm, checkpoint, files);
  const generation = folder.has(GENERATION_FILE)
    ? parseGeneration(await read(GENERATION_FILE, MAX_CONFIG_BYTES), GENERATION_FILE)
    : NO_GENERATION;
  const tokenizer = parseHfTokenizer(await readTokenizerFiles(folder, read), {
    vocabSize: config.plm.vocabSize,
    ...(config.bosTokenId !== undefined && { bosTokenId: config.bosTokenId }),
    eosTokenIds: [...new Set([...config.eosTokenIds, ...generation.eosTokenIds])],
    ...(config.padTokenId !== undefined && { padTokenId: config.padTokenId }),
  });
  const card = await readCard(folder, read);
  return {
    format: container.format,
    name: folder.name,
    ...(folder.origin && { origin: folder.origin }),
    config: config.plm,
    tensors: table.tensors,
    tokenizer: tokenizer.spec,
    generation: generation.sampling,
    card: card.card,
    sourceConfig,
    files,
    changes: [],
    notes: [
      ...[...config.notes, ...checkpoint.notes, ...table.notes],
      ...[...generation.notes, ...tokenizer.notes, ...card.notes],
    ],
  };
}

/** Refuses folders without weights that are read. */
function weightsContainer(folder: SourceFolder): Container {
  const container = containerOf(folder);
  if (container !== undefined) return container;
  const pickle = [...folder.entries].sort().find((name) => PICKLE.test(name));
  if (pickle === undefined) throw invalidInput({ file: CONTAINERS[0]!.single, what: 'missing' });
  const what = 'pickles of other names than pytorch_model.bin are not read; convert to safetensors first';
  throw invalidInput({ file: pickle, what });
}

/** No model is refused for its card. */
async function readCard(folder: SourceFolder, read: ReadFile): Promise<{ card: ModelCard; notes: string[] }> {
  if (!folder.has(CARD_FILE)) return { card: {}, notes: [] };
  try {
    return { card: parseCard(await read(CARD_FILE, MAX_CARD_BYTES)), notes: [] };
  } catch (error) {
    if (!(error instanceof PressError && error.failure === 'invalid-input')) throw error;
    return { card: {}, notes: [`ignored: ${error.message}`] };
  }
}
