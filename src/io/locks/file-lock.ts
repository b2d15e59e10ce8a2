import { randomBytes } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { type FileHandle, link, lstat, open, readFile, rename, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { localIo, PressError } from '../../core/errors.ts';
import { readRegular } from '../regular-file.ts';
import { temporaryPath } from '../staging/temporary-file.ts';
import { writeFully } from '../staging/write-fully.ts';
import { BEAT, LEASE } from './lease.ts';
import { ownPlace, type Place } from './place.ts';
import { isAlive, isAliveInside, ownIdentity, type ProcessIdentity } from './process-identity.ts';

/**
 * Without links, a lock is written right after it is created. One unreadable for a second was left by a
 * crash.
 */
const POLLS = 20;
const POLL_MILLISECONDS = 50;
/** A lock takes some 200 bytes. A larger file is not a lock, and is not read. */
const MAX_LOCK_BYTES = 1024;

/**
 * Excludes other runs from an output. It is a file, so it works between any two processes that share the file
 * system. It names its process and the place in which that process number is valid. Runs in the same place
 * check whether the process exists. Runs in another container or on another machine cannot, and go by the
 * modification time of the file, which the holder renews.
 */
export class FileLock {
  /**
   * Time of taking it, in milliseconds by the clock of the file system, which may differ from this machine's.
   */
  readonly since: number;
  /** Runs that ended without removing it; the last of them held it before. */
  readonly ended: readonly Holder[];
  readonly #path: string;
  readonly #content: string;
  readonly #timer: NodeJS.Timeout;
  #beat: Promise<void> | undefined;

  private constructor(lockPath: string, content: string, since: number, ended: readonly Holder[]) {
    this.ended = ended;
    this.#path = lockPath;
    this.#content = content;
    this.since = since;
    this.#timer = setInterval(() => {
      this.#beat ??= this.#renew();
    }, BEAT).unref();
  }

  /**
   * Makes the file `lockPath`, taking over from a run that has ended. Throws `locked` where another run holds
   * the lock, `local-io` where it cannot be written. `name` is the name in messages of the thing that is
   * locked.
   */
  static async acquire(lockPath: string, name: string): Promise<FileLock> {
    const key = randomBytes(8).toString('hex');
    const content = `${JSON.stringify({ ...(await ownIdentity()), ...ownPlace(), key })}\n`;
    // The lock is complete before it gets its name, so a run that is stopped right then holds it all the
    // same.
    const candidate = temporaryPath(lockPath);
    const ended: Holder[] = [];
    try {
      const since = await stamp(candidate, content, 'wx');
      for (;;) {
        await claim(candidate, lockPath, content);
        const found = await readLock(lockPath);
        if (found === undefined) continue;
        if (found.content === content) return new FileLock(lockPath, content, since, ended);
        const holder = await describeHolder(found, lockPath, () => stamp(candidate, content, 'r+'));
        if (holder !== undefined) throw new PressError('locked', { file: name, what: `locked by ${holder}` });
        await removeStale(lockPath, found.content);
        if (found.holder !== undefined) ended.push(found.holder);
      }
    } catch (error) {
      if (await holds(lockPath, content)) await unlink(lockPath).catch(() => undefined);
      throw error instanceof PressError ? error : await lockFault(lockPath, name, error);
    } finally {
      await unlink(candidate).catch(() => undefined);
    }
  }

  /**
   * Throws `locked` if another run has taken the lock over: after two takeovers at once, or after a pause so
   * long that a run elsewhere took this one for ended.
   */
  async assertHeld(): Promise<void> {
    if (await this.isHeld()) return;
    throw new PressError('locked', { file: this.#path, what: 'taken over by another run' });
  }

  /** Whether this run still holds the lock. */
  async isHeld(): Promise<boolean> {
    return holds(this.#path, this.#content);
  }

  /** A lock that cannot be removed does no harm: others see that its process has ended. */
  async release(): Promise<void> {
    clearInterval(this.#timer);
    await this.#beat;
    if (await this.isHeld()) await unlink(this.#path).catch(() => undefined);
  }

  /** A failed renewal does not end the run: it checks the lock again before it gives files their names. */
  async #renew(): Promise<void> {
    await renew(this.#path, this.#content).catch(() => undefined);
    this.#beat = undefined;
  }
}

async function holds(lockPath: string, content: string): Promise<boolean> {
  const found = await readRegular(lockPath).catch(() => undefined);
  return found?.toString('latin1') === content;
}

/** Writes a lock again, if it still holds `content`, so that its time is the present. */
async function renew(lockPath: string, content: string): Promise<void> {
  const handle = await open(lockPath, 'r+');
  try {
    // No run writes its lock into the file of another, so the open file stays that of this run.
    if ((await handle.readFile('latin1')) === content) await write(handle, content);
  } finally {
    await handle.close();
  }
}

/** Writes a file and returns the present time by the clock of its file system, in milliseconds. */
async function stamp(file: string, content: string, flags: 'wx' | 'r+'): Promise<number> {
  const handle = await open(file, flags);
  try {
    await write(handle, content);
    return (await handle.stat()).mtimeMs;
  } finally {
    await handle.close();
  }
}

async function write(handle: FileHandle, content: string): Promise<void> {
  await writeFully(handle, Buffer.from(content), 0);
  // A network file system sets its own time only once it has the bytes. Not all support fsync, which sends
  // them.
  await handle.datasync().catch(() => undefined);
}

/** Gives the candidate the name of the lock, unless something has it. */
async function claim(candidate: string, lockPath: string, content: string): Promise<void> {
  try {
    await link(candidate, lockPath);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return;
    // Many network and FUSE file systems have no links.
    await create(lockPath, content);
  }
}

async function create(lockPath: string, content: string): Promise<void> {
  let handle: FileHandle;
  try {
    handle = await open(lockPath, 'wx');
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return;
    throw error;
  }
  try {
    await write(handle, content).finally(() => handle.close());
  } catch (error) {
    await unlink(lockPath);
    throw error;
  }
}

/** The error for a lock that cannot be written. */
async function lockFault(lockPath: string, name: string, error: unknown): Promise<PressError> {
  const isThere = await stat(path.dirname(lockPath)).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
  // /proc answers so for any name.
  if (codeOf(error) === 'ENOENT' && isThere) {
    return new PressError('local-io', {
      file: name,
      what: 'its file system does not allow new files (ENOENT)',
    });
  }
  return localIo(name, error);
}

/** Locks of plmpress 0.1 have no place: that version went by the process number alone. */
type Holder = ProcessIdentity & { readonly [Fact in keyof Place]?: Place[Fact] | undefined };

interface FoundLock {
  readonly content: string;
  /** Milliseconds, by the clock of the file system. */
  readonly modified: number;
  /** Undefined where the lock names none: its run was killed before it had written the lock. */
  readonly holder: Holder | undefined;
}

/**
 * Description of the holder for messages; undefined if its run has ended. `now` gives the file system's time.
 */
async function describeHolder(
  { holder, modified }: FoundLock,
  lockPath: string,
  now: () => Promise<number>,
): Promise<string | undefined> {
  if (holder === undefined) return undefined;
  const { pid, host, place } = holder;
  if (place === undefined || place === ownPlace().place) {
    return (await isAlive(holder)) ? `process ${pid}` : undefined;
  }
  const isSeen = await isAliveInside(holder, holder);
  if (isSeen !== undefined) return isSeen ? `process ${pid} of a container (${host})` : undefined;
  const silence = Math.max(0, (await now()) - modified);
  if (silence >= LEASE) return undefined;
  const seconds = (milliseconds: number) => `${Math.ceil(milliseconds / 1000)} s`;
  return (
    `process ${pid} of another container or machine (${host}), last seen ${seconds(silence)} ago; ` +
    `if that run has ended, wait ${seconds(LEASE - silence)} or remove ${path.basename(lockPath)}`
  );
}

/** The content of the lock; undefined if it has been removed. */
async function readLock(lockPath: string): Promise<FoundLock | undefined> {
  for (let poll = 1; ; poll++) {
    const found = await look(lockPath);
    if (found === undefined || found.holder !== undefined || poll > POLLS) return found;
    await sleep(POLL_MILLISECONDS);
  }
}

async function look(lockPath: string): Promise<FoundLock | undefined> {
  try {
    if (!isLock(await lstat(lockPath))) throw notLock(lockPath);
    // Opened anew each time, so that NFS asks the server for the current file.
    const handle = await open(lockPath, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const stats = await handle.stat();
      if (!isLock(stats)) throw notLock(lockPath);
      const content = await handle.readFile('latin1');
      return { content, modified: stats.mtimeMs, holder: parseHolder(content) };
    } finally {
      await handle.close().catch(() => undefined);
    }
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function isLock(stats: Stats): boolean {
  return stats.isFile() && stats.size <= MAX_LOCK_BYTES;
}

function notLock(lockPath: string): PressError {
  return new PressError('local-io', { file: lockPath, what: 'is not a lock of plmpress' });
}

function parseHolder(content: string): Holder | undefined {
  try {
    const { pid, started, host, place, boot, namespace } = JSON.parse(content) as Partial<Holder>;
    const isText = (value: unknown) => ['string', 'undefined'].includes(typeof value);
    const valid =
      Number.isSafeInteger(pid) && pid! > 0 && [started, host, place, boot, namespace].every(isText);
    return valid ? { pid: pid!, started, host, place, boot, namespace } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Removes the lock that held `content`. A rename gives it to one process only; where another run was faster
 * and this is already its lock, it is put back.
 */
async function removeStale(lockPath: string, content: string): Promise<void> {
  const aside = temporaryPath(lockPath);
  try {
    await rename(lockPath, aside);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  const found = await readFile(aside, 'latin1');
  if (found !== content) await claim(aside, lockPath, found).catch(() => undefined);
  await unlink(aside);
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
