import path from 'node:path';
import { closeModel, type GenerationConfig, type Model, type SourceFile } from '../../../src/core/model.ts';
import type { InputFile } from '../../../src/io/input-file.ts';
import { SourceFolder } from '../../../src/io/source-folder.ts';
import type { BundleFile, BundleManifest } from '../../../src/webgpu/manifest.ts';
import { parseManifest } from '../../../src/webgpu/read-manifest.ts';
import { MANIFEST_FILE } from '../file-names.ts';
import { plmConfig } from '../geometry.ts';
import { differsFromManifest, missingFromBundle } from './bundle-content.ts';
import { checkManifest } from './check-manifest.ts';
import { bundleFolder } from './locate.ts';
import { bundleTensors } from './tensors.ts';
import { VerifiedShard } from './verified-shard.ts';
import { parseVocabulary } from './vocabulary.ts';

const MAX_MANIFEST_BYTES = 64_000_000;
const MAX_VOCABULARY_BYTES = 64_000_000;

/** A model as a WebGPU bundle holds it. */
export interface BundleArtifact extends Model {
  readonly format: 'webgpu';
  readonly manifest: BundleManifest;
  /**
   * The bytes of `manifest.shards[index]`. Throws verification where they have another SHA-256 than the
   * manifest says.
   */
  readonly readShard: (index: number) => Promise<Uint8Array<ArrayBuffer>>;
}

export function isBundleArtifact(model: Model): model is BundleArtifact {
  return model.format === 'webgpu';
}

/**
 * Opens a bundle by its folder or its manifest. Of weights nothing is read; a shard is hashed whole when the
 * first of it is. Names of files begin with that of the folder. Close the model when done with it.
 * @throws PressError invalid-input for a manifest that is malformed, verification where it contradicts the
 * files, unsupported for a later version.
 */
export async function openBundle(spec: string): Promise<BundleArtifact> {
  const folder = bundleFolder(spec);
  return readBundleModel(await SourceFolder.open(folder), path.basename(folder));
}

/** As `openBundle`, by the folder and what names of its files begin with. */
export async function readBundleModel(folder: SourceFolder, name: string): Promise<BundleArtifact> {
  const files: SourceFile[] = [];
  try {
    return await readBundle(folder, name, files);
  } catch (error) {
    await closeModel({ files });
    throw error;
  }
}

async function readBundle(
  folder: SourceFolder,
  folderName: string,
  files: SourceFile[],
): Promise<BundleArtifact> {
  const labelOf = (name: string) => `${folderName}/${name}`;
  const text = await folder.readText(MANIFEST_FILE, MAX_MANIFEST_BYTES, labelOf(MANIFEST_FILE));
  files.push(text);
  const manifest = parseManifest(text.text, text.name);
  checkManifest(manifest, text.name);
  const config = plmConfig(manifest.model);

  const { tokenizer, runtime } = manifest;
  const assertThere = ({ file }: BundleFile): void => {
    if (!folder.has(file)) throw missingFromBundle(labelOf(file));
  };
  assertThere(tokenizer);
  const vocabulary = await folder.readText(tokenizer.file, MAX_VOCABULARY_BYTES, labelOf(tokenizer.file));
  files.push(vocabulary);
  await assertContent(vocabulary, tokenizer);
  const open = async (entry: BundleFile): Promise<InputFile> => {
    assertThere(entry);
    const file = await folder.open(entry.file, labelOf(entry.file));
    files.push(file);
    assertSize(file, entry);
    return file;
  };
  await open(runtime);
  const shards = new Map<string, VerifiedShard>();
  for (const entry of manifest.shards) {
    if (shards.has(entry.file)) continue;
    shards.set(entry.file, new VerifiedShard(await open(entry), files.length - 1, entry.sha256));
  }
  return {
    format: 'webgpu',
    manifest,
    name: manifest.name,
    config,
    async readShard(index) {
      const { file, bytes } = manifest.shards[index]!;
      const shard = new Uint8Array(bytes);
      await shards.get(file)!.readInto(shard, 0);
      return shard;
    },
    ...bundleTensors(
      config,
      manifest.tensors,
      manifest.shards.map(({ file }) => shards.get(file)!),
    ),
    tokenizer: {
      ...parseVocabulary(vocabulary.text, vocabulary.name, config.vocabSize),
      // What the runtime stops at.
      stopTokenIds: manifest.generation.stop_token_ids,
    },
    generation: generationConfig(manifest),
    weighed: manifest.quality !== undefined,
    card: {},
    files,
    changes: [],
    notes: [],
  };
}

function assertSize(file: SourceFile, { bytes }: BundleFile): void {
  if (file.bytes !== bytes) throw differsFromManifest(file.name, 'size', file.bytes, `${bytes} bytes`);
}

async function assertContent(file: SourceFile, entry: BundleFile): Promise<void> {
  assertSize(file, entry);
  const got = await file.sha256();
  if (got !== entry.sha256) throw differsFromManifest(file.name, 'SHA-256', got, entry.sha256);
}

/**
 * Compares all files of a bundle with its manifest.
 * @throws PressError verification where one is not as it was written.
 */
export async function checkBundleFiles(
  { files, manifest }: BundleArtifact,
  signal?: AbortSignal,
): Promise<void> {
  const digests = new Map(
    [manifest.runtime, manifest.tokenizer, ...manifest.shards].map(({ file, sha256 }) => [file, sha256]),
  );
  for (const file of files) {
    const expected = digests.get(path.basename(file.name));
    if (expected === undefined) continue;
    const got = await file.sha256(signal);
    if (got !== expected) throw differsFromManifest(file.name, 'SHA-256', got, expected);
  }
}

function generationConfig({ generation }: BundleManifest): GenerationConfig {
  const { temperature, top_k, top_p, min_p, repetition_penalty } = generation;
  return {
    ...(temperature !== undefined && { temperature }),
    ...(top_k !== undefined && { topK: top_k }),
    ...(top_p !== undefined && { topP: top_p }),
    ...(min_p !== undefined && { minP: min_p }),
    ...(repetition_penalty !== undefined && { repetitionPenalty: repetition_penalty }),
  };
}
