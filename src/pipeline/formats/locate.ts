import { MANIFEST_FILE } from '../../../formats/webgpu/file-names.ts';
import { GGUF } from './gguf.ts';
import { SOURCE_FORMATS } from './index.ts';
import type { Listing } from './listing.ts';
import type { SourceFormat } from './source-format.ts';

/** A model in a folder. */
export interface LocatedModel {
  readonly format: SourceFormat;
  /** Path below the folder, with forward slashes; empty for the folder itself. */
  readonly path: string;
}

/** The path to name a model by: of a bundle that is the folder itself, its manifest. */
export function nameOf({ path }: LocatedModel): string {
  return path === '' ? MANIFEST_FILE : path;
}

/** Every model in a folder, as far as names of files show. A checkpoint comes first. */
export function locate(listing: Listing): LocatedModel[] {
  return SOURCE_FORMATS.flatMap((format) => format.locate(listing).map((path) => ({ format, path })));
}

/**
 * Leaves out GGUF files that accompany a model, such as importance matrices, unless the folder has no other
 * GGUF.
 */
export function withoutCompanions(
  located: readonly LocatedModel[],
  companions: ReadonlySet<string>,
): LocatedModel[] {
  const isCompanion = ({ format, path }: LocatedModel) => format === GGUF && companions.has(path);
  const isModel = ({ format, path }: LocatedModel) => format === GGUF && !companions.has(path);
  return located.filter((model) => !isCompanion(model) || !located.some(isModel));
}
