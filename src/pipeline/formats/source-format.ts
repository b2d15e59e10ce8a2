import type { Model } from '../../core/model.ts';
import type { SourceFolder } from '../../io/source-folder.ts';
import type { Listing } from './listing.ts';

/** A file of a repository, by its path with forward slashes. */
export interface ListedFile {
  readonly path: string;
}

/** A commit of a repository on the Hub. Its files are read by ranges, without a copy. */
export interface Repository {
  /** A folder of it; an empty path is its root. */
  readonly folderAt: (path: string) => SourceFolder;
  /** The commit; it names a bundle that is the root of the repository. */
  readonly revision: string;
}

/** The folder, on this machine, to which the names of a model's files are relative. */
export interface ModelRoot {
  readonly folder: string;
  /** Path of the model in it, with forward slashes; empty for the folder itself. */
  readonly path: string;
}

/**
 * A format that plmpress reads. A path is relative to the listed folder and has forward slashes. A place is a
 * path on this machine.
 */
export interface SourceFormat {
  /** Its names in `Model.format`. */
  readonly reads: readonly Model['format'][];
  /** Paths of its models in a folder; an empty path if the folder itself is a model. */
  readonly locate: (listing: Listing) => string[];
  /** Whether a file of this name can be opened as a model. */
  readonly isModelFile: (name: string) => boolean;
  /** Whether models in one folder share files. They are then fetched together. */
  readonly shareFiles: boolean;
  /** The `files` that the models at `paths` consist of. Several only if they share files. */
  readonly filesOf: <File extends ListedFile>(files: readonly File[], paths: readonly string[]) => File[];
  readonly open: (place: string) => Promise<Model>;
  readonly read: (repository: Repository, path: string) => Promise<Model>;
  /** The folder to which names of files are relative, for the model at `place`. */
  readonly rootOf: (place: string) => ModelRoot;
  /** Whether a model contains the hashes of its own files. */
  readonly holdsHashes: boolean;
  /** Whether it can store the normalizer of a tokenizer. */
  readonly holdsNormalizer: boolean;
  /** Whether weights can be read from the Hub during a conversion, without a copy. */
  readonly streams: boolean;
}
