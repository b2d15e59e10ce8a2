/**
 * Leaves room for recipe, shard numbers and the temporary name within the 255 bytes of common file systems.
 */
const MAX_STEM_BYTES = 150;

/** A model's name as part of a file name: names may come from hostile metadata. */
export function fileStem(name: string): string {
  const safe = name.replace(/[^\p{L}\p{N}._-]+/gu, '-').replace(/^[.-]+|[.-]+$/g, '');
  const cut = Buffer.from(safe)
    .subarray(0, MAX_STEM_BYTES)
    .toString('utf8')
    .replace(/\ufffd+$/, '');
  return cut === '' ? 'model' : cut;
}
