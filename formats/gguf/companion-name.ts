/** Importance matrices, image projectors and drafts, by their names. */
const COMPANION = /(^|[-_.])(imatrix|mmproj|mtp)([-_.]|$)/i;

/**
 * Whether the name of a GGUF file is that of something that comes with a model. Its header is the better
 * witness.
 */
export function isCompanionName(path: string): boolean {
  return COMPANION.test(path.slice(path.lastIndexOf('/') + 1));
}
