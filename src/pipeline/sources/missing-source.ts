import { PressError } from '../../core/errors.ts';
import { HubRefusal, HubUnreachable } from '../../hub/http/fault.ts';
import { type HubSource, parseHubSource } from '../../hub/hub-source.ts';
import { exists, nearestPath } from '../../io/existing-path.ts';

/** HTTP statuses for a repository that does not exist or may not be seen. */
const UNSEEN = new Set([401, 403, 404]);

/** Whether a spec has the form of an address, which is never a path. */
export function isAddress(spec: string): boolean {
  return /^[a-z][a-z\d+.-]+:\/\//i.test(spec.trim());
}

/**
 * The place on the Hub that a spec names if it is not a path on this machine. A spec that ends in a slash or
 * begins with an existing folder is a mistyped path, and no request is made for it.
 * @throws PressError `local-io` for paths, `usage` as `parseHubSource` does.
 */
export async function hubSourceOf(spec: string, endpoint: string): Promise<HubSource> {
  const [first = ''] = spec.split('/');
  if (isAddress(spec) || !(spec.endsWith('/') || (first !== '' && (await exists(first))))) {
    const source = parseHubSource(spec, endpoint);
    if (source !== undefined) return source;
  }
  throw new PressError('local-io', { file: spec, what: `no such file or folder${await meant(spec)}` });
}

/**
 * The error for a spec that may be a path or an id and is neither: it names both, since only the user knows
 * which.
 */
export async function neitherHereNorThere(spec: string, error: unknown): Promise<unknown> {
  const isUnseen = error instanceof HubRefusal && UNSEEN.has(error.status);
  if (isAddress(spec) || !(isUnseen || error instanceof HubUnreachable)) return error;
  const what = `no such path here${await meant(spec)}, and the repository ${error.fault.what}`;
  return new PressError('network', { file: spec, what }, { cause: error });
}

async function meant(spec: string): Promise<string> {
  const found = await nearestPath(spec);
  return found === undefined ? '' : ` (Did you mean ${found}?)`;
}
