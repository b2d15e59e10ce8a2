import { integer, number, where } from './json/schema.ts';

// What JSON files may say of the geometry of a model.

/** LLAMA_MAX_LAYERS of llama.cpp. */
export const MAX_LAYERS = 512;
/** Models have one to three tokens that end a generation. */
export const MAX_END_TOKENS = 1024;

/**
 * Of a vector of a layer: a hundred times that of PLM-1.8B, and small enough that the elements of a matrix of
 * heads x width by width stay below 2^53.
 */
export const width = integer(1, 2 ** 18);
export const evenWidth = where(width, (value) => value % 2 === 0, 'an even number');
export const headCount = integer(1, 2 ** 10);
/** A hundred times the largest vocabularies. */
export const vocabularySize = integer(1, 2 ** 24);
/** A thousand times the longest contexts; RoPE tables and caches are sized by what is used, not by this. */
export const positionCount = integer(1, 2 ** 30);

/**
 * Artifacts and kernels hold the numbers of a config in F32: beyond its largest number they would become
 * infinite, below its smallest normal one 0, at once or where a device flushes subnormal numbers.
 */
export const positive = where(
  number,
  (value) => value >= 2 ** -126 && value <= (2 - 2 ** -23) * 2 ** 127,
  'a positive number in the range of F32',
);
