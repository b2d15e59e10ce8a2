import { lstat } from 'node:fs/promises';
import path from 'node:path';
import { invalidInput, localIo, PressError } from '../../core/errors.ts';
import { assertFormatVersion } from '../../core/format-version.ts';
import { parseJson } from '../../core/json/json.ts';
import type { JsonField } from '../../core/json/json-field.ts';
import type { Change, HubOrigin, SourceFile } from '../../core/model.ts';
import { SourceFolder } from '../../io/source-folder.ts';
import { readTextFile } from '../../io/text-file.ts';
import { isPassRequest, MAX_PASSES } from '../../passes/run.ts';
import type { StorageError } from '../writing/storage-error.ts';
import {
  MANIFEST_NAME,
  MANIFEST_SCHEMA,
  type Manifest,
  type ManifestArtifact,
  type ManifestFile,
  type ManifestSource,
  type ManifestTensor,
  type RecordedTarget,
} from './manifest.ts';
import type { ManifestOptions } from './manifest-options.ts';

/** An artifact of the deepest model that llama.cpp takes makes 2 MB. */
const MAX_MANIFEST_BYTES = 64_000_000;
const SHA256 = /^[0-9a-f]{64}$/;
const REPOSITORY = /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*$/;
const COMMIT = /^[0-9a-f]{40}$/;
/** `gguf:q4_k_m`, or of a format that a later version may know. */
const TARGET = /^[a-z][a-z0-9]*:[\w.-]+$/;

/**
 * The manifest of `folder`; undefined where there is none. Throws `invalid-input` where it is malformed,
 * `unsupported` where a newer plmpress made it.
 */
export async function readManifest(folder: string): Promise<Manifest | undefined> {
  const manifestPath = path.join(folder, MANIFEST_NAME);
  const stats = await lstat(manifestPath).catch((error) => {
    if (error.code === 'ENOENT') return undefined;
    throw localIo(MANIFEST_NAME, error);
  });
  if (stats === undefined) return undefined;
  if (stats.isSymbolicLink()) {
    const snapshot = await SourceFolder.open(folder);
    // In the cache of the Hub files are links; elsewhere a link leads to what is no part of the folder.
    if (snapshot.origin !== undefined)
      return parseManifest((await snapshot.readText(MANIFEST_NAME, MAX_MANIFEST_BYTES)).text);
  }
  if (!stats.isFile())
    throw new PressError('local-io', { file: MANIFEST_NAME, what: 'is not a regular file' });
  return parseManifest((await readTextFile(manifestPath, MANIFEST_NAME, MAX_MANIFEST_BYTES)).text);
}

/**
 * Compares a file of `folder` with the manifest there. Returns the artifact that it belongs to; undefined
 * where there is no manifest or it does not list the file.
 * @throws PressError `verification` where size or SHA-256 differ, `invalid-input` where the manifest is
 * malformed.
 */
export async function checkManifest(
  folder: string,
  file: Pick<SourceFile, 'name' | 'bytes' | 'sha256'>,
  signal?: AbortSignal,
): Promise<ManifestArtifact | undefined> {
  const manifest = await readManifest(folder);
  const entry = manifest?.files.find((listed) => listed.path === file.name);
  if (manifest === undefined || entry === undefined) return undefined;
  await assertAsRecorded(file, entry, signal);
  return manifest.artifacts.find((artifact) => artifact.files.includes(file.name));
}

/**
 * Compares a file with what is recorded for it; without `sha256` by its size.
 * @throws PressError `verification` where they differ.
 */
export async function assertAsRecorded(
  file: Pick<SourceFile, 'name' | 'bytes'> & Partial<Pick<SourceFile, 'sha256'>>,
  entry: ManifestFile,
  signal?: AbortSignal,
): Promise<void> {
  const differs = (what: string, got: string | number, expected: string) =>
    new PressError('verification', {
      file: file.name,
      what: `${what} differs from ${MANIFEST_NAME}`,
      got,
      expected,
    });
  if (file.bytes !== entry.bytes) throw differs('size', file.bytes, `${entry.bytes} bytes`);
  const sha256 = await file.sha256?.(signal);
  if (sha256 !== undefined && sha256 !== entry.sha256) throw differs('SHA-256', sha256, entry.sha256);
}

export function parseManifest(text: string): Manifest {
  const root = parseJson(text, MANIFEST_NAME);
  assertFormatVersion(root.at('schemaVersion'), MANIFEST_SCHEMA);
  const tool = root.at('tool');
  const files = root.at('files').items().map(parseFile);
  const artifacts = someItems(root.at('artifacts'), 'artifact').map(parseArtifact);
  const listed = new Set(files.map((file) => file.path));
  if (listed.size < files.length) throw malformed('files', 'a path is listed twice');
  const owned = new Set(artifacts.flatMap((artifact) => artifact.files));
  for (const file of owned) {
    if (!listed.has(file)) throw malformed('artifacts', `${file} is not among the files`);
  }
  for (const file of listed) {
    if (!owned.has(file)) throw malformed('files', `${file} belongs to no artifact`);
  }
  return {
    schemaVersion: MANIFEST_SCHEMA,
    tool: { name: tool.at('name').string(), version: tool.at('version').string() },
    files,
    artifacts,
  };
}

function malformed(field: string, what: string): PressError {
  return invalidInput({ file: MANIFEST_NAME, field, what });
}

function parseFile(field: JsonField): ManifestFile {
  return { path: relativePath(field.at('path')), ...parseContent(field) };
}

function parseContent(field: JsonField): { bytes: number; sha256: string } {
  return { bytes: field.at('bytes').integer(0), sha256: parseDigest(field.at('sha256')) };
}

/** A SHA-256 in hex. */
export function parseDigest(field: JsonField): string {
  const text = field.string();
  if (!SHA256.test(text)) throw field.unexpected('64 hex digits');
  return text;
}

/** A path that cannot leave the folder, and whose name cannot pass for another. */
function relativePath(field: JsonField): string {
  const text = field.string();
  const isSafe =
    /^[^\\:\p{C}\p{Zl}\p{Zp}]+$/u.test(text) &&
    text.split('/').every((part) => !['', '.', '..'].includes(part));
  if (!isSafe) throw field.unexpected('a path inside the folder');
  return text;
}

function parseArtifact(field: JsonField): ManifestArtifact {
  const { target, options, passes } = parseRecordedTarget(field);
  return {
    target,
    version: field.at('version').string(),
    source: parseSource(field.at('source')),
    options,
    passes,
    changes: field.at('changes').items().map(parseChange),
    fallbacks: field
      .at('fallbacks')
      .items()
      .map((fallback) => texts(fallback, ['tensor', 'wanted', 'used', 'reason'])),
    tensors: field.at('tensors').items().map(parseTensor),
    files: someItems(field.at('files'), 'file').map(relativePath),
    ...parseVerification(field.at('verification').optional()),
  };
}

function parseVerification(field: JsonField | undefined): Pick<ManifestArtifact, 'verification'> {
  if (field === undefined) return {};
  return {
    verification: {
      tokens: field.at('tokens').integer(1),
      meanKld: field.at('meanKld').number(),
      top1: field.at('top1').number(),
      texts: strings(field.at('texts')),
    },
  };
}

/** The part of an artifact that says how it was planned. */
export function parseRecordedTarget(field: JsonField): RecordedTarget {
  return {
    target: parseTarget(field.at('target')),
    options: parseOptions(field.at('options')),
    passes: parsePasses(field.at('passes')),
  };
}

function parseTarget(field: JsonField): string {
  const text = field.string();
  if (!TARGET.test(text)) throw field.unexpected('FORMAT:SCHEME, as gguf:q4_k_m');
  return text;
}

/** Passes in the order of their runs. Which there are is another question: a later version may know more. */
function parsePasses(field: JsonField): string[] {
  return field.items(MAX_PASSES).map((item) => {
    const text = item.string();
    if (!isPassRequest(text)) throw item.unexpected('NAME or NAME:key=value,…');
    return text;
  });
}

export function parseSource(field: JsonField): ManifestSource {
  const origin = field.at('origin').optional();
  return {
    format: field.at('format').string(),
    name: field.at('name').string(),
    ...(origin && { origin: parseOrigin(origin) }),
    files: field
      .at('files')
      .items()
      .map((file) => ({ name: file.at('name').string(), ...parseContent(file) })),
  };
}

function parseOrigin(field: JsonField): HubOrigin {
  const [repository, revision] = [field.at('repository'), field.at('revision')];
  if (!REPOSITORY.test(repository.string())) throw repository.unexpected('org/name');
  if (!COMMIT.test(revision.string())) throw revision.unexpected('40 hex digits');
  return { repository: repository.string(), revision: revision.string() };
}

function parseOptions(field: JsonField): ManifestOptions {
  return Object.fromEntries(
    [...field.entries()].map(([key, option]) => {
      const { value } = option;
      if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
        return [key, value];
      if (Array.isArray(value)) return [key, strings(option)];
      throw option.unexpected('a string, a number, true, false or an array of strings');
    }),
  );
}

function parseChange(field: JsonField): Change {
  const change = texts(field, ['pass', 'subject', 'from', 'to', 'reason']);
  const figures = field.at('figures').optional();
  if (figures === undefined) return change;
  return {
    ...change,
    figures: Object.fromEntries([...figures.entries()].map(([name, figure]) => [name, figure.number()])),
  };
}

function parseTensor(field: JsonField): ManifestTensor {
  return {
    ...texts(field, ['name', 'source', 'scheme']),
    shape: field
      .at('shape')
      .items()
      .map((dimension) => dimension.integer(0)),
    ...parseContent(field),
    error: parseStorageError(field.at('error')),
  };
}

export function parseStorageError(field: JsonField): StorageError {
  return { relativeRms: field.at('relativeRms').number(), maxAbs: field.at('maxAbs').number() };
}

/** Members that are strings, in the order of `keys`. */
function texts<Key extends string>(field: JsonField, keys: readonly Key[]): Record<Key, string> {
  return Object.fromEntries(keys.map((key) => [key, field.at(key).string()])) as Record<Key, string>;
}

/** The items of an array that cannot be empty. */
function someItems(field: JsonField, what: string): JsonField[] {
  const items = field.items();
  if (items.length === 0) throw field.unexpected(`at least one ${what}`);
  return items;
}

function strings(field: JsonField): string[] {
  return field.items().map((item) => item.string());
}
