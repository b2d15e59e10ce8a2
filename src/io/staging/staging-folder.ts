import { lstat, mkdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { localIo, PressError } from '../../core/errors.ts';
import { Journal } from './journal.ts';
import { temporaryPath } from './temporary-file.ts';

/** The folder, within an output folder, with the finished work of an interrupted run. */
export const STAGING_NAME = '.plmpress-resume';
const JOURNAL_NAME = 'journal';
const SEALS_NAME = 'seals';

/**
 * Holds the files of a run until they are complete, so that a later run can continue. Their names are
 * numbers, so that nothing found there can lead outside of the folder.
 */
export class StagingFolder {
  /** The journal of the work, which defines the content of its lines. */
  readonly journal: Journal;
  /** Whether the folder had the files of other work, which were removed. */
  readonly replacedOther: boolean;
  readonly folder: string;
  /** Files that are whole: their numbers and SHA-256, written before the first gets its name. */
  readonly #seals: Journal;
  readonly #sealed: ReadonlyMap<string, string>;

  private constructor(folder: string, journal: Journal, seals: Journal, replacedOther: boolean) {
    this.folder = folder;
    this.journal = journal;
    this.#seals = seals;
    this.#sealed = new Map(seals.found.map((line) => line.split(' ') as [string, string]));
    this.replacedOther = replacedOther;
  }

  /**
   * Opens the staging folder of `output`, or creates it. Removes files of work other than `key`, and of work
   * that was complete. The caller holds the lock of the folder. Throws local-io.
   */
  static async open(output: string, key: string, name: string): Promise<StagingFolder> {
    const folder = path.join(output, name);
    const staging = await StagingFolder.#open(folder, key, false);
    const isOver = staging.#sealed.has(RECORD) && !(await exists(staging.pathOf(RECORD)));
    const isOther = staging.journal.wasForeign;
    if (!isOver && !isOther) return staging;
    await staging.remove();
    return StagingFolder.#open(folder, key, isOther);
  }

  static async #open(folder: string, key: string, replacedOther: boolean): Promise<StagingFolder> {
    await mkdir(folder, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw localIo(folder, error);
    });
    if (!(await isFolder(folder))) {
      throw new PressError('local-io', { file: folder, what: 'is not a folder' });
    }
    const journal = await Journal.open(path.join(folder, JOURNAL_NAME), key);
    try {
      const seals = await Journal.open(path.join(folder, SEALS_NAME), key);
      return new StagingFolder(folder, journal, seals, replacedOther);
    } catch (error) {
      await journal.close();
      throw error;
    }
  }

  /** Of file number `index`, or of the record that describes all. */
  pathOf(index: number | typeof RECORD): string {
    return path.join(this.folder, `${index}`);
  }

  /** Bytes that its files take on the disk. */
  async allocated(count: number): Promise<number> {
    let sum = 0;
    for (let index = 0; index < count; index++) {
      const stats = await lstat(this.pathOf(index)).catch(() => undefined);
      // Systems that do not report blocks are treated as having none.
      sum += (stats?.blocks ?? 0) * 512;
    }
    return sum;
  }

  /** Records that all files are complete: from now on they may get their names. */
  async seal(digests: readonly string[], record: string): Promise<void> {
    for (const [index, sha256] of digests.entries()) await this.#seals.append(`${index} ${sha256}`);
    await this.#seals.append(`${RECORD} ${record}`);
  }

  /**
   * SHA-256 of a complete file that is no longer in this folder: it has its final name, unless the run was
   * stopped before.
   */
  async missing(index: number): Promise<string | undefined> {
    const sha256 = this.#sealed.get(`${index}`);
    return sha256 === undefined || (await exists(this.pathOf(index))) ? undefined : sha256;
  }

  async close(): Promise<void> {
    await this.journal.close();
    await this.#seals.close();
  }

  /** Closes and removes it. Best effort: nothing depends on it. */
  async remove(): Promise<void> {
    await this.close();
    await removeWhole(this.folder);
  }
}

/** The name of the record in this folder. */
export const RECORD = 'record';
/** The line of the seals that comes last, after its digest. */
const SEALED_RECORD = new RegExp(`^[0-9a-f]{64} ${RECORD} [0-9a-f]{64}$`, 'm');

/**
 * The interrupted work in an output folder that can be continued: none, work called `key`, or other
 * work.
 */
export async function findStaging(
  output: string,
  key: string,
  name = STAGING_NAME,
): Promise<'nothing' | 'same' | 'other'> {
  const folder = path.join(output, name);
  if (!(await isFolder(folder)) || (await isIdle(folder))) return 'nothing';
  return (await Journal.isOf(path.join(folder, JOURNAL_NAME), key)) ? 'same' : 'other';
}

/** Removes it. Best effort: nothing depends on it. The caller holds the lock of the folder. */
export async function removeStaging(output: string, name = STAGING_NAME): Promise<void> {
  await removeWhole(path.join(output, name));
}

/**
 * Removes the folder of a run that was killed before it had finished anything, or after all. Best
 * effort, as `removeStaging`. The caller holds the lock of the folder.
 */
export async function removeIdleStaging(output: string, name: string): Promise<void> {
  const folder = path.join(output, name);
  if ((await isFolder(folder)) && (await isIdle(folder))) await removeStaging(output, name);
}

/** Whether the content of a staging folder cannot be continued. */
async function isIdle(folder: string): Promise<boolean> {
  const journal = await lstat(path.join(folder, JOURNAL_NAME)).catch(() => undefined);
  if (journal === undefined || journal.size === 0) return true;
  const seals = await readFile(path.join(folder, SEALS_NAME), 'latin1').catch(() => '');
  return SEALED_RECORD.test(seals) && !(await exists(path.join(folder, RECORD)));
}

/** Removes a folder so that none with a part of its content can be found under its name. Best effort. */
async function removeWhole(folder: string): Promise<void> {
  const aside = temporaryPath(folder);
  const gone = await rename(folder, aside).then(
    () => aside,
    () => folder,
  );
  await rm(gone, { recursive: true, force: true }).catch(() => undefined);
}

function isFolder(folder: string): Promise<boolean> {
  return lstat(folder).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}

function exists(file: string): Promise<boolean> {
  return lstat(file).then(
    () => true,
    () => false,
  );
}
