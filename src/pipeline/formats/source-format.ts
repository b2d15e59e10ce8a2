import type { Model } from '../../core/model.ts';
import type { SourceFolder } from '../../io/source-folder.ts';
import type { Listing } from './listing.ts';

/** A file of a repository, by its path with forward slashes. */
export interface ListedFile {
  readonly path: string;
}

/** A commit of a repository, whose files are read where they are. */
export interface Repository {
  /** A folder of it; an empty path is its root. */
  readonly folderAt: (path: string) => SourceFolder;
  /** The commit, which stands for a name where the root has none. */
  readonly revision: string;
}

/** The folder, on this machine, that names of a model's files begin in. */
export interface ModelRoot {
  readonly folder: string;
  /** Path of the model in it, with forward slashes; empty for the folder itself. */
  readonly path: string;
}

/**
 * What models are read from. A path has forward slashes and begins in the folder that is listed; a place is
 * a path on this machine.
 */
export interface SourceFormat {
  /** What it is called in `Model.format`. */
  readonly reads: readonly Model['format'][];
  /** Paths of its models in a folder; an empty one where the folder itself is a model. */
  readonly locate: (listing: Listing) => string[];
  /** Whether a file of this name opens a model. */
  readonly isModelFile: (name: string) => boolean;
  /** Whether models in one folder share files, so that they are fetched together. */
  readonly shareFiles: boolean;
  /** Those of `files` that opening the model at `path` takes. */
  readonly filesOf: <File extends ListedFile>(files: readonly File[], path: string) => File[];
  readonly open: (place: string) => Promise<Model>;
  readonly read: (repository: Repository, path: string) => Promise<Model>;
  /** Where names of the files of the model at `place` begin. */
  readonly rootOf: (place: string) => ModelRoot | Promise<ModelRoot>;
  /** Whether a model holds the hashes of its own files. */
  readonly holdsHashes: boolean;
  /** Whether it can hold what a tokenizer does to text before it is matched. */
  readonly holdsNormalizer: boolean;
  /** Whether weights can stay on the Hub while they are converted. */
  readonly streams: boolean;
}
