import path from 'node:path';
import { CACHE_FORMS, type CacheForm } from '../../../src/core/config.ts';
import { invalidInput, PressError, unsupported } from '../../../src/core/errors.ts';
import { closeModel, type Model, type SourceFile } from '../../../src/core/model.ts';
import { plmTensors } from '../../../src/core/names.ts';
import { foreignContent } from '../../../src/core/text/foreign-content.ts';
import type { InputFile } from '../../../src/io/input-file.ts';
import { type OpenOptions, SourceFolder } from '../../../src/io/source-folder.ts';
import { checkModel } from '../../../src/onnx/check/check.ts';
import { type Initializer, isExternal, type OnnxModel } from '../../../src/onnx/graph.ts';
import { NO_GENERATION, parseGeneration } from '../../hf/generation.ts';
import { parseHfTokenizer } from '../../hf/tokenizer.ts';
import { decodeModel } from '../decode.ts';
import { readPlmConfig } from '../folder/plm-config.ts';
import { METADATA } from '../metadata.ts';
import { graphPlace } from './locate.ts';
import { GraphWeights, type OpenData } from './weights.ts';

/** Graphs of 512 layers with 64 heads that are each multiplied alone take 60 MB. */
const MAX_GRAPH_BYTES = 128_000_000;
const MAX_CONFIG_BYTES = 10_000_000;
const MAX_TOKENIZER_BYTES = 64_000_000;

/** A model as an ONNX artifact of ours holds it, and the graph that computes it. */
export interface OnnxArtifact extends Model {
  readonly format: 'onnx';
  readonly graph: OnnxModel;
  readonly cache: CacheForm;
  /**
   * Where the graph lies, for engines that open files by themselves. Left out where it is not on this
   * machine.
   */
  readonly graphPath?: string;
  /** Fills `into` with the bytes of an initializer. */
  readonly readInitializer: (initializer: Initializer, into: Uint8Array) => Promise<void>;
  /** Text of a JSON file in its folder; undefined where there is none. */
  readonly readBeside: (name: string) => Promise<string | undefined>;
}

export function isOnnxArtifact(model: Model): model is OnnxArtifact {
  return model.format === 'onnx';
}

/**
 * Opens an ONNX graph that plmpress has written, with the files beside it, by its path. No weight is read.
 * Close the model when done with it.
 * @throws PressError invalid-input for malformed files, unsupported for graphs of others.
 */
export async function openOnnx(file: string): Promise<OnnxArtifact> {
  const { root, graph } = graphPlace(path.resolve(file));
  const artifact = await readOnnxModel(await SourceFolder.open(root), graph);
  return { ...artifact, graphPath: path.join(root, ...graph.split('/')) };
}

/**
 * As `openOnnx`, by the folder of config and tokenizer and the path of the graph there, with forward slashes.
 */
export async function readOnnxModel(root: SourceFolder, graph: string): Promise<OnnxArtifact> {
  const files: SourceFile[] = [];
  try {
    return await readArtifact(root, graph, files);
  } catch (error) {
    await closeModel({ files });
    throw error;
  }
}

async function readArtifact(
  outer: SourceFolder,
  graphPath: string,
  files: SourceFile[],
): Promise<OnnxArtifact> {
  const { dir, base: name } = path.posix.parse(graphPath);
  const folder = dir === '' ? outer : await outer.folder(dir);
  if (folder === undefined) throw invalidInput({ file: dir, what: 'missing' });
  const prefix = dir === '' ? '' : `${dir}/`;
  const open = async (entry: string, options?: OpenOptions): Promise<InputFile> => {
    const file = await folder.open(entry, `${prefix}${entry}`, options);
    files.push(file);
    return file;
  };
  const file = await open(name);
  const graph = decodeModel(await wholeFile(file), file.name);
  const { config, cache } = readMetadata(graph, file.name);
  assertWellFormed(graph, file.name);
  const data = new Map<string, OpenData>();
  for (const location of locationsOf(graph)) {
    // As ONNX's own loader does: the graph names this file, not the user.
    const file = await open(location, { refuseHardLinks: true });
    data.set(location, { file, index: files.length - 1 });
  }
  assertInside(graph, file.name, data);
  const weights = new GraphWeights(file.name, graph.graph.initializers, data);
  for (const table of ['rope.cos', 'rope.sin']) weights.ignore(table);
  const tensors = weights.tensors(plmTensors(config.plm));
  weights.assertAllTaken();

  const readText = async (entry: string, maxBytes: number): Promise<string> => {
    const text = await outer.readText(entry, maxBytes);
    files.push(text);
    return text.text;
  };
  const generation = outer.has('generation_config.json')
    ? parseGeneration(await readText('generation_config.json', MAX_CONFIG_BYTES), 'generation_config.json')
    : NO_GENERATION;
  const tokenizer = parseHfTokenizer(
    {
      tokenizer: await readText('tokenizer.json', MAX_TOKENIZER_BYTES),
      ...(outer.has('tokenizer_config.json') && {
        tokenizerConfig: await readText('tokenizer_config.json', MAX_CONFIG_BYTES),
      }),
    },
    {
      vocabSize: config.plm.vocabSize,
      ...(config.bosTokenId !== undefined && { bosTokenId: config.bosTokenId }),
      eosTokenIds: [...new Set([...config.eosTokenIds, ...generation.eosTokenIds])],
      ...(config.padTokenId !== undefined && { padTokenId: config.padTokenId }),
    },
  );
  const { metadata } = graph;
  const [license, baseModels] = [metadata[METADATA.license], metadata[METADATA.baseModels]];
  return {
    graph,
    cache,
    readInitializer: (initializer, into) => readInitializer(initializer, into, data),
    readBeside: async (entry) =>
      outer.has(entry) ? (await outer.readText(entry, MAX_CONFIG_BYTES)).text : undefined,
    format: 'onnx',
    name: metadata[METADATA.name] ?? outer.name,
    config: config.plm,
    ...tensors,
    tokenizer: tokenizer.spec,
    generation: generation.sampling,
    card: {
      ...(license !== undefined && { license }),
      ...(baseModels !== undefined && { baseModels: baseModels.split(' ') }),
    },
    weighed: metadata[METADATA.calibration] !== undefined,
    files,
    changes: [],
    notes: [...generation.notes, ...tokenizer.notes],
  };
}

/** The check names nodes and values; the file is known here. */
function assertWellFormed(graph: OnnxModel, file: string): void {
  try {
    checkModel(graph);
  } catch (error) {
    throw error instanceof PressError ? new PressError(error.failure, { ...error.fault, file }) : error;
  }
}

async function wholeFile(file: InputFile): Promise<Uint8Array> {
  if (file.bytes > MAX_GRAPH_BYTES) {
    const expected = `at most ${MAX_GRAPH_BYTES} bytes, the weights beside it`;
    throw invalidInput({ file: file.name, what: 'too large', got: file.bytes, expected });
  }
  const bytes = new Uint8Array(file.bytes);
  await file.readInto(bytes, 0);
  const what = bytes.length === 0 ? 'the file is empty' : foreignContent(bytes);
  if (what !== undefined) throw invalidInput({ file: file.name, what });
  // It was read whole, so its hash costs nothing: a file of the Hub must have the one that is listed.
  await file.sha256();
  return bytes;
}

/** Names of the files of weights. The check has held them to be bare ones. */
function locationsOf({ graph }: OnnxModel): Set<string> {
  return new Set(graph.initializers.flatMap(({ data }) => (isExternal(data) ? [data.location] : [])));
}

function assertInside({ graph }: OnnxModel, file: string, open: ReadonlyMap<string, OpenData>): void {
  for (const { name, data } of graph.initializers) {
    if (!isExternal(data)) continue;
    const { bytes } = open.get(data.location)!.file;
    if (data.offset + data.length <= bytes) continue;
    const field = `initializer ${JSON.stringify(name)}`;
    const got = `bytes ${data.offset} to ${data.offset + data.length}`;
    throw invalidInput({ file, field, what: 'external data', got, expected: `inside of ${bytes} bytes` });
  }
}

function readMetadata({ metadata }: OnnxModel, file: string) {
  const text = metadata[METADATA.config];
  if (text === undefined) {
    const expected = `metadata ${METADATA.config}, as plmpress writes it`;
    throw unsupported({ file, what: 'a graph of another tool', expected });
  }
  const cache = CACHE_FORMS.find((form) => form === metadata[METADATA.cache]);
  if (cache === undefined) {
    const [got, expected] = [metadata[METADATA.cache], CACHE_FORMS.join(' or ')];
    throw invalidInput({ file, field: METADATA.cache, what: 'wrong value', got, expected });
  }
  return { config: readPlmConfig(text, file), cache };
}

async function readInitializer(
  { data }: Initializer,
  into: Uint8Array,
  open: ReadonlyMap<string, OpenData>,
): Promise<void> {
  if (isExternal(data)) await open.get(data.location)!.file.readInto(into, data.offset);
  else into.set(data);
}
