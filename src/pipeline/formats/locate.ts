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

/** What names it in its folder: a bundle that is the folder has its manifest for that. */
export function nameOf({ path }: LocatedModel): string {
  return path === '' ? MANIFEST_FILE : path;
}

/** Every model that names in a folder tell of. A checkpoint comes first. */
export function locate(listing: Listing): LocatedModel[] {
  return SOURCE_FORMATS.flatMap((format) => format.locate(listing).map((path) => ({ format, path })));
}

/**
 * Leaves out the GGUF files that only come with a model, such as importance matrices, unless there are no
 * others.
 */
export function withoutCompanions(
  located: readonly LocatedModel[],
  companions: ReadonlySet<string>,
): LocatedModel[] {
  const isCompanion = ({ format, path }: LocatedModel) => format === GGUF && companions.has(path);
  const isModel = ({ format, path }: LocatedModel) => format === GGUF && !companions.has(path);
  return located.filter((model) => !isCompanion(model) || !located.some(isModel));
}
