/** The user without rights of every Unix. */
const NOBODY = 65534;

/** Why files cannot be closed to this process; false where they can. */
export const NO_PERMISSIONS = process.geteuid === undefined && 'the system has no permissions of Unix';

/** Runs `action` without the rights of root, to whom no file is closed. */
export async function asUnprivileged<T>(action: () => Promise<T>): Promise<T> {
  if (process.geteuid!() !== 0) return action();
  process.seteuid!(NOBODY);
  try {
    return await action();
  } finally {
    process.seteuid!(0);
  }
}
