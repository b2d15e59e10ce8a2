import { PressError } from '../core/errors.ts';
import { parseJson } from '../core/json/json.ts';
import type { JsonField } from '../core/json/json-field.ts';
import { BundleError } from './bundle-error.ts';
import {
  type BundleFile,
  type BundleManifest,
  type BundleTensor,
  bundleManifest,
  piece,
} from './manifest.ts';
import { PIECE_ROWS, scaleRowBytes, valueRowBytes } from './planes.ts';

/**
 * As `parseManifest`, for pages. Throws `BundleError`, `unsupported` for versions that this runtime does not
 * know and `invalid-bundle` for the rest.
 */
export function readManifest(text: string): BundleManifest {
  try {
    return parseManifest(text, 'manifest.json');
  } catch (error) {
    if (!(error instanceof PressError)) throw error;
    const code = error.failure === 'unsupported' ? 'unsupported' : 'invalid-bundle';
    throw new BundleError(code, error.message, { cause: error });
  }
}

/**
 * Reads manifest.json, which may come from anywhere: every member is as `bundleManifest` says, tokens are in
 * the vocabulary, pieces are whole and lie in their shards. What it says of tensors is still to be compared
 * with the geometry, and what it says of files with these.
 * @throws PressError unsupported for a later version, invalid-input for the rest, naming the field.
 */
export function parseManifest(text: string, file: string): BundleManifest {
  const root = parseJson(text, file);
  const manifest = bundleManifest(root);
  for (const [index, field] of root.at('tensors').items().entries()) {
    checkTensor(field, manifest.tensors[index]!, manifest.shards);
  }
  checkTokens(root, manifest);
  return manifest;
}

function checkTokens(root: JsonField, { model, selfTest }: BundleManifest): void {
  const [test, prefixes] = [root.at('selfTest'), selfTest.prompt.length];
  const [likeliest, logits] = [test.at('likeliest'), test.at('logits')];
  const tokens = [root.at('generation').at('stop_token_ids'), test.at('prompt'), likeliest, logits.at('ids')];
  for (const id of tokens.flatMap((field) => field.items())) id.integer(0, model.vocab_size - 1);
  for (const index of test.at('close').items(prefixes)) index.integer(0, prefixes - 1);
  assertCount(likeliest, prefixes, 'tokens, one per prefix');
  assertCount(logits.at('values'), selfTest.logits.ids.length, 'values, one per token');
}

function assertCount(field: JsonField, count: number, items: string): void {
  if (field.array().length !== count) throw field.unexpected(`${count} ${items}`);
}

function checkTensor(field: JsonField, tensor: BundleTensor, shards: readonly BundleFile[]): void {
  const scaleBytes = scaleRowBytes(tensor);
  checkPlane(field.at('values'), tensor.rows, valueRowBytes(tensor), shards);
  checkPlane(field.at('scales'), scaleBytes && tensor.rows, scaleBytes, shards);
}

/** `rows`: those of the plane; 0: the tensor has none. */
function checkPlane(field: JsonField, rows: number, rowBytes: number, shards: readonly BundleFile[]): void {
  let left = rows;
  for (const item of field.items()) {
    const read = piece(item);
    left -= read.rows;
    if (left > 0 && read.rows % PIECE_ROWS !== 0) {
      throw item.at('rows').unexpected(`a multiple of ${PIECE_ROWS}, or the last rows`);
    }
    const length = read.rows * rowBytes;
    const { bytes } = shards[item.at('shard').integer(0, shards.length - 1)]!;
    if (read.offset + length > bytes) {
      throw item.at('offset').unexpected(`${length} bytes inside the ${bytes} of the shard`);
    }
  }
  if (left !== 0) throw field.unexpected(rows ? `${rows} rows in all` : 'no pieces: floats have no scales');
}
