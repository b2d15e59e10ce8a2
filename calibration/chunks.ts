import { createHash } from 'node:crypto';
import type { Model } from '../src/core/model.ts';

/** Tokens that llama-imatrix reads at once. */
const DEFAULT_CHUNK = 512;

export function chunkSize({ config }: Model, wanted = DEFAULT_CHUNK): number {
  return Math.min(wanted, config.maxPositionEmbeddings);
}

/** Tokens that are read without a past. */
export interface Chunk {
  readonly ids: readonly number[];
  /** How often each of them counts. */
  readonly weight: number;
}

/** Cuts a text into chunks; its last may be shorter, as none goes on into the next text. */
export function cutChunks({ ids, weight }: Chunk, size: number): Chunk[] {
  return Array.from({ length: Math.ceil(ids.length / size) }, (_, i) => ({
    ids: ids.slice(i * size, (i + 1) * size),
    weight,
  }));
}

/** SHA-256 of what is read, in hex. */
export function chunksDigest(chunks: readonly Chunk[]): string {
  return createHash('sha256').update(JSON.stringify(chunks)).digest('hex');
}
