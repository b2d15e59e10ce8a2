import path from 'node:path';
import { invalidInput, PressError, unsupported } from '../../src/core/errors.ts';
import { ADAPTER_CONFIG } from '../../src/core/lora.ts';
import { closeModel, type Model, type ModelCard, type SourceFile } from '../../src/core/model.ts';
import { SourceFolder } from '../../src/io/source-folder.ts';
import { parseCard } from './card.ts';
import { openCheckpoint } from './checkpoint.ts';
import { parseConfig } from './config.ts';
import { CONTAINERS, type Container, containerAmong } from './container.ts';
import { NO_GENERATION, parseGeneration } from './generation.ts';
import { withPlainNames } from './plain-names.ts';
import { assertPlainWeights, quantizationLeftovers } from './quantized-weights.ts';
import { matchTensors } from './tensor-table.ts';
import { settleHead } from './tied-head.ts';
import { parseHfTokenizer } from './tokenizer.ts';
import { type ReadFile, readTokenizerFiles } from './tokenizer-files.ts';

/** Limit of huggingface.js for config.json; the other small files are no larger. */
const MAX_CONFIG_BYTES = 10_000_000;
/** Cards are some ten kilobytes of prose. */
const MAX_CARD_BYTES = 1_000_000;

const CONFIG_FILE = 'config.json';
const GENERATION_FILE = 'generation_config.json';
const CARD_FILE = 'README.md';

/** Names of pickles; those that a container does not claim are training states, adapters and the like. */
const PICKLE = /^(pytorch|adapter)_model.*\.bin$|\.(pt|pth|ckpt)$/i;

/** Weights of other frameworks, by the names of their files. */
const FOREIGN_WEIGHTS =
  /^((weights|model).*\.npz|tf_model.*\.h5|flax_model.*\.msgpack|rust_model\.ot|openvino_model\.(xml|bin))$/;

/** Whether `folder` looks like a checkpoint, complete or not; `readHfFolder` reports missing files. */
export function isHfFolder(folder: SourceFolder): boolean {
  return (
    [CONFIG_FILE, ...CONTAINERS.map(({ index }) => index)].some((name) => folder.has(name)) ||
    [...folder.entries].some((name) =>
      [/\.safetensors$/i, PICKLE, FOREIGN_WEIGHTS].some((pattern) => pattern.test(name)),
    )
  );
}

/** Opens a folder on this machine as `readHfFolder` does. */
export async function openHfFolder(folderPath: string): Promise<Model> {
  return readHfFolder(await SourceFolder.open(path.resolve(folderPath)));
}

/**
 * Opens a Hugging Face folder of a PLM: config.json, generation_config.json, tokenizer files, model card and
 * weights in safetensors or files of PyTorch, of which only headers are read. Close the model when done with
 * it.
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
  if (!folder.has(CONFIG_FILE)) await assertPlainAnyway(folder, files);
  const sourceConfig = await read(CONFIG_FILE, MAX_CONFIG_BYTES);
  const config = parseConfig(sourceConfig, CONFIG_FILE);
  const container = weightsContainer(folder);
  const stored = await openCheckpoint(folder, container, files);
  assertPlainWeights(stored, config.quantization);
  const checkpoint = withPlainNames(stored);
  const { plm, notes: headNotes } = await settleHead(config, checkpoint);
  const table = matchTensors(plm, checkpoint, files);
  const generation = folder.has(GENERATION_FILE)
    ? parseGeneration(await read(GENERATION_FILE, MAX_CONFIG_BYTES), GENERATION_FILE)
    : NO_GENERATION;
  const tokenizer = parseHfTokenizer(await readTokenizerFiles(folder, read), {
    vocabSize: plm.vocabSize,
    ...(config.bosTokenId !== undefined && { bosTokenId: config.bosTokenId }),
    eosTokenIds: [...new Set([...config.eosTokenIds, ...generation.eosTokenIds])],
    ...(config.padTokenId !== undefined && { padTokenId: config.padTokenId }),
  });
  const card = await readCard(folder, read);
  return {
    format: container.format,
    name: folder.name,
    ...(folder.origin && { origin: folder.origin }),
    config: plm,
    tensors: table.tensors,
    tokenizer: tokenizer.spec,
    generation: generation.sampling,
    card: card.card,
    sourceConfig,
    files,
    changes: [],
    notes: [
      ...[...config.notes, ...quantizationLeftovers(config.quantization, table.tensors)],
      ...[...checkpoint.notes, ...headNotes, ...table.notes],
      ...[...generation.notes, ...tokenizer.notes, ...card.notes],
      ...(folder.has(ADAPTER_CONFIG)
        ? [`${ADAPTER_CONFIG} ignored: --adapter with this folder merges it`]
        : []),
    ],
  };
}

/**
 * Says that weights are quantized where config.json is missing: other tools keep theirs elsewhere, and that
 * is not what is wrong.
 */
async function assertPlainAnyway(folder: SourceFolder, files: SourceFile[]): Promise<void> {
  const container = containerAmong(folder.entries);
  if (container !== undefined) assertPlainWeights(await openCheckpoint(folder, container, files));
  else assertNotForeign(folder);
}

function assertNotForeign(folder: SourceFolder): void {
  const file = [...folder.entries].sort().find((name) => FOREIGN_WEIGHTS.test(name));
  if (file === undefined) return;
  throw unsupported({ file, what: 'weights of another framework', expected: 'safetensors' });
}

/** Refuses folders without weights that are read. */
function weightsContainer(folder: SourceFolder): Container {
  const container = containerAmong(folder.entries);
  if (container !== undefined) return container;
  const names = [...folder.entries].sort();
  const pickle = names.find((name) => PICKLE.test(name));
  if (pickle !== undefined) {
    const what = 'pickles of other names than pytorch_model.bin are not read; convert to safetensors first';
    throw invalidInput({ file: pickle, what });
  }
  assertNotForeign(folder);
  const { single, extension } = CONTAINERS[0]!;
  const other = names.find((name) => name.toLowerCase().endsWith(extension));
  const hint = other === undefined ? '' : `; if ${other} holds the weights, rename it`;
  throw invalidInput({ file: single, what: `missing${hint}` });
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
