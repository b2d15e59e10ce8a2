/**
 * Codes by which file systems say that they do not have an operation, or not for this user: mounts of object stores, network
 * drives and FUSE differ in which. An operation that has failed says EIO, ENOSPC, EDQUOT, ESTALE or the like.
 */
const REFUSED = new Set([
  ...['ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL', 'ENOTTY', 'EPERM', 'EACCES', 'EBADF', 'EISDIR'],
  // ENOTSUPP of Linux, which should not leave the kernel, and has no name outside.
  'Unknown system error -524',
]);

/** Whether a file system has refused an operation, which then has changed nothing. */
export function isRefusal(error: unknown): boolean {
  return REFUSED.has((error as NodeJS.ErrnoException).code ?? '');
}

/** Runs an operation without which a file is whole all the same. False where the file system refuses it. Throws where it fails. */
export async function unlessRefused(operation: () => Promise<unknown>): Promise<boolean> {
  try {
    await operation();
    return true;
  } catch (error) {
    if (isRefusal(error)) return false;
    throw error;
  }
}

type Kind = 'permissions' | 'sync';

/** What the file system of an output has refused, for one note at the end. */
export class Refusals {
  readonly #kinds = new Set<Kind>();

  /** Runs an operation; that it was refused is kept. Throws where it fails. */
  async allow(kind: Kind, operation: () => Promise<unknown>): Promise<void> {
    if (!(await unlessRefused(operation))) this.#kinds.add(kind);
  }

  /** Undefined where nothing was refused. */
  note(folder: string): string | undefined {
    const facts = [
      ...(this.#kinds.has('permissions') ? ['sets no permissions'] : []),
      ...(this.#kinds.has('sync') ? ['does not confirm that files are on the disk'] : []),
    ];
    if (facts.length === 0) return undefined;
    const risk = this.#kinds.has('sync') ? ', but a power failure soon after may cost them' : '';
    return `the file system of ${folder} ${facts.join(' and ')}: the files are whole${risk}`;
  }
}
