import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { localIo } from '../core/errors.ts';
import { nearest } from '../core/text/unknown-name.ts';

/**
 * Throws `local-io` if a path that the user named does not exist. A missing file of a checkpoint is
 * `invalid-input` instead.
 */
export async function assertExists(path: string): Promise<void> {
  await stat(path).catch((error) => {
    throw localIo(path, error);
  });
}

/** A suggestion for a path that does not exist: one name in it is replaced by a similar name that does. */
export async function nearestPath(missing: string): Promise<string | undefined> {
  const rest: string[] = [];
  for (let at = path.normalize(missing); ; at = path.dirname(at)) {
    const [parent, name] = [path.dirname(at), path.basename(at)];
    if (parent === at) return undefined;
    const names = await readdir(parent).catch(() => undefined);
    if (names !== undefined) {
      const visible = names.filter((found) => !found.startsWith('.') || name.startsWith('.'));
      const meant = nearest(name, visible);
      const whole = meant === undefined ? undefined : path.join(parent, meant, ...rest);
      return whole !== undefined && (await exists(whole)) ? whole : undefined;
    }
    rest.unshift(name);
  }
}

/** Whether something is at a path. */
export async function exists(at: string): Promise<boolean> {
  return stat(at).then(
    () => true,
    () => false,
  );
}
