/**
 * Codes of file systems that do not support an operation, or not for this user. Mounts of object stores,
 * network drives and FUSE use different ones. An operation that has failed gives EIO, ENOSPC, EDQUOT, ESTALE
 * or the like.
 */
const REFUSED = new Set([
  ...['ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL', 'ENOTTY', 'EPERM', 'EACCES', 'EBADF', 'EISDIR'],
  // ENOTSUPP, an internal code of Linux that has no name in user space.
  'Unknown system error -524',
]);

/** Whether the file system does not support an operation, which then has changed nothing. */
export function isRefusal(error: unknown): boolean {
  return REFUSED.has((error as NodeJS.ErrnoException).code ?? '');
}

/** Runs an operation that a file can do without. False if the file system refuses it. Throws if it fails. */
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

/** Operations that the file system of an output has refused, for one note at the end. */
export class Refusals {
  readonly #kinds = new Set<Kind>();

  /** Runs an operation and records a refusal. Throws if it fails. */
  async allow(kind: Kind, operation: () => Promise<unknown>): Promise<void> {
    if (!(await unlessRefused(operation))) this.#kinds.add(kind);
  }

  /** Undefined if nothing was refused. */
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
