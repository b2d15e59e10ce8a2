import { randomBytes } from 'node:crypto';
import { link, lstat, open, readFile, rename, unlink } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { localIo, PressError } from '../core/errors.ts';
import { isAlive, ownIdentity, type ProcessIdentity } from './process-identity.ts';
import { temporaryPath } from './temporary-file.ts';
import { writeFully } from './write-fully.ts';

/** A lock is written right after it is created. One that stays unreadable for a second was left by a crash. */
const POLLS = 20;
const POLL_MILLISECONDS = 50;
/** A lock takes less than 100 bytes; what is larger is not one, and is not read. */
const MAX_LOCK_BYTES = 1024;

/** Keeps other runs away from what it stands for. It is a file, so it works between any two processes. */
export class FileLock {
  readonly #path: string;
  readonly #content: string;

  private constructor(lockPath: string, content: string) {
    this.#path = lockPath;
    this.#content = content;
  }

  /**
   * Makes the file `lockPath`, taking over from a process that has died. Throws `locked` where another run holds the
   * lock, `local-io` where it cannot be written. `name` is what messages call the thing that is locked.
   */
  static async acquire(lockPath: string, name: string): Promise<FileLock> {
    const content = `${JSON.stringify({ ...(await ownIdentity()), key: randomBytes(8).toString('hex') })}\n`;
    try {
      while (!(await create(lockPath, content))) {
        const found = await readLock(lockPath);
        if (found === undefined) continue;
        if (found.holder !== undefined && (await isAlive(found.holder))) {
          throw new PressError('locked', { file: name, what: `locked by process ${found.holder.pid}` });
        }
        await removeStale(lockPath, found.content);
      }
    } catch (error) {
      throw error instanceof PressError ? error : localIo(name, error);
    }
    return new FileLock(lockPath, content);
  }

  /** Throws `locked` where another run has taken the lock over, which takes a clash of two takeovers. */
  async assertHeld(): Promise<void> {
    const content = await readFile(this.#path, 'latin1').catch(() => undefined);
    if (content === this.#content) return;
    throw new PressError('locked', { file: this.#path, what: 'taken over by another run' });
  }

  /** A lock that cannot be removed does no harm: the next run finds its process dead. */
  async release(): Promise<void> {
    await this.assertHeld()
      .then(() => unlink(this.#path))
      .catch(() => undefined);
  }
}

/** Creates the lock; false where there is one. */
async function create(lockPath: string, content: string): Promise<boolean> {
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    handle = await open(lockPath, 'wx');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
  try {
    await writeFully(handle, Buffer.from(content), 0).finally(() => handle.close());
    return true;
  } catch (error) {
    await unlink(lockPath);
    throw error;
  }
}

interface FoundLock {
  readonly content: string;
  /** Undefined where the lock names none: its run was killed before it had written the lock. */
  readonly holder: ProcessIdentity | undefined;
}

/** What the lock says; undefined where it has gone. */
async function readLock(lockPath: string): Promise<FoundLock | undefined> {
  let content = '';
  try {
    for (let poll = 0; poll < POLLS; poll++) {
      const stats = await lstat(lockPath);
      if (!stats.isFile() || stats.size > MAX_LOCK_BYTES) {
        throw new PressError('local-io', { file: lockPath, what: 'is not a lock of plmpress' });
      }
      content = await readFile(lockPath, 'latin1');
      const holder = parseHolder(content);
      if (holder !== undefined) return { content, holder };
      await sleep(POLL_MILLISECONDS);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  return { content, holder: undefined };
}

function parseHolder(content: string): ProcessIdentity | undefined {
  try {
    const { pid, started } = JSON.parse(content) as Partial<ProcessIdentity>;
    const valid = Number.isSafeInteger(pid) && pid! > 0 && ['string', 'undefined'].includes(typeof started);
    return valid ? { pid: pid!, started } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Removes the lock that held `content`. A rename gives it to one process only; where another run was faster and
 * this is already its lock, it is put back.
 */
async function removeStale(lockPath: string, content: string): Promise<void> {
  const aside = temporaryPath(lockPath);
  try {
    await rename(lockPath, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if ((await readFile(aside, 'latin1')) !== content) await link(aside, lockPath).catch(() => undefined);
  await unlink(aside);
}
