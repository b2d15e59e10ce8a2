import { PressError } from '../core/errors.ts';
import { HubRefusal, HubUnreachable } from '../hub/fault.ts';
import { type HubSource, parseHubSource } from '../hub/hub-source.ts';
import { exists, nearestPath } from '../io/existing-path.ts';

/** Answers for what is not there, or may not be seen. */
const UNSEEN = new Set([401, 403, 404]);

/** Whether a spec has the form of an address, which is never a path. */
export function isAddress(spec: string): boolean {
  return /^[a-z][a-z\d+.-]+:\/\//i.test(spec.trim());
}

/**
 * What a spec that is no path on this machine names on the Hub. What ends in a slash, or begins with a folder that is here,
 * is a path that has been mistyped, and is not asked of anybody.
 * @throws PressError `local-io` for paths, `usage` as `parseHubSource` does.
 */
export async function hubSourceOf(spec: string, env: NodeJS.ProcessEnv = process.env): Promise<HubSource> {
  const [first = ''] = spec.split('/');
  if (isAddress(spec) || !(spec.endsWith('/') || (first !== '' && (await exists(first))))) {
    const source = parseHubSource(spec, env.HF_ENDPOINT);
    if (source !== undefined) return source;
  }
  throw new PressError('local-io', { file: spec, what: `no such file or folder${await meant(spec)}` });
}

/** The error where a spec that may be a path or an id leads to nothing: both readings, since only the user knows which. */
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
