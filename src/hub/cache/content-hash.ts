import { createHash, type Hash } from 'node:crypto';
import { type HubFile, isLarge } from '../tree.ts';

/** A hash that gives a file's `oid` when all of its bytes have gone in. */
export function contentHash(file: HubFile): Hash {
  if (isLarge(file)) return createHash('sha256');
  // As git names a blob.
  return createHash('sha1').update(`blob ${file.bytes}\0`);
}
