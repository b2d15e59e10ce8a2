import { hubOrigin } from '../../core/hub-origin.ts';
import { formatVersion } from '../../core/json/format-version.ts';
import { content, sha256 } from '../../core/json/hashes.ts';
import type { JsonField } from '../../core/json/json-field.ts';
import {
  array,
  integer,
  matching,
  number,
  object,
  optional,
  type Read,
  record,
  string,
  where,
} from '../../core/json/schema.ts';
import { change } from '../../core/model.ts';
import { isPassRequest, MAX_PASSES } from '../../passes/run.ts';
import { storedMembers } from '../writing/stored-tensor.ts';

/** Record of everything in an output folder: what was made, from what, how, and how exact it is. */
export const MANIFEST_NAME = 'plmpress.json';
export const MANIFEST_SCHEMA = 1;

/** A path that cannot leave the folder, and whose name cannot pass for another. */
const path = where(
  string,
  (text) =>
    /^[^\\:\p{C}\p{Zl}\p{Zp}]+$/u.test(text) &&
    text.split('/').every((part) => !['', '.', '..'].includes(part)),
  'a path inside the folder',
);

/** A file by content. Paths have forward slashes and are relative to the manifest. */
const file = object({ path, ...content });

export type ManifestFile = Read<typeof file>;

const tensor = object({
  /** In the artifact. */
  name: string,
  /** In the source, by its Hugging Face name. */
  source: string,
  scheme: string,
  shape: array(integer(0)),
  bytes: integer(0),
  ...storedMembers,
});

export type ManifestTensor = Read<typeof tensor>;

export const manifestSource = object({
  format: string,
  name: string,
  origin: optional(hubOrigin),
  /** Those of adapters last. */
  files: array(object({ name: string, ...content })),
});

export type ManifestSource = Read<typeof manifestSource>;

function option(field: JsonField): string | number | boolean | readonly string[] {
  const { value } = field;
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  if (Array.isArray(value)) return array(string)(field);
  throw field.unexpected('a string, a number, true, false or an array of strings');
}

/** `gguf:q4_k_m`, or of a format that a later version may know. */
const target = matching(/^[a-z][a-z0-9]*:[\w.-]+$/, 'FORMAT:SCHEME, as gguf:q4_k_m');
/** Those that bytes depend on. */
const options = record(option);
/** As `--pass` takes them, in the order of their runs. A later version may know more of them. */
const passes = array(where(string, isPassRequest, 'NAME or NAME:key=value,…'), { max: MAX_PASSES });

/** The inputs of a plan beside the source. */
export const recordedTarget = object({ target, options, passes });

export type RecordedTarget = Read<typeof recordedTarget>;
export type ManifestOptions = Read<typeof options>;

/** The result of a verification. */
const verification = object({
  /** Positions compared. */
  tokens: integer(1),
  /** In nats per token. */
  meanKld: number,
  /** Share of positions where both hold the same token for the likeliest. */
  top1: number,
  /** SHA-256 in hex of the texts, in order; none: the built-in one. */
  texts: array(sha256),
});

export type ManifestVerification = Read<typeof verification>;

const artifact = object({
  target,
  /** Of the plmpress that made it. */
  version: string,
  source: manifestSource,
  options,
  passes,
  changes: array(change),
  fallbacks: array(object({ tensor: string, wanted: string, used: string, reason: string })),
  tensors: array(tensor),
  /** Paths of `Manifest.files`. */
  files: array(path, { some: 'file' }),
  /** The result of `convert --verify`; bytes do not depend on it. */
  verification: optional(verification),
});

export type ManifestArtifact = Read<typeof artifact>;

/**
 * Holds no time, no path of the machine and no thread count: equal conversions give equal manifests. What its
 * members must have in common, `parseManifest` checks.
 */
export const manifest = object({
  schemaVersion: formatVersion(MANIFEST_SCHEMA),
  /** What wrote the manifest last. */
  tool: object({ name: string, version: string }),
  files: array(file),
  artifacts: array(artifact, { some: 'artifact' }),
});

export type Manifest = Read<typeof manifest>;

/** Keys stand in the order in which they are declared. */
export function encodeManifest(manifest: Manifest): Uint8Array {
  return Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`);
}
