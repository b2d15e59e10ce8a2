import { usage } from '../core/errors.ts';

/** A place on the Hub, as `org/name`, `org/name@revision` or `hf://org/name@revision/path` names it. */
export interface HubSource {
  /** `org/name`. */
  readonly repository: string;
  /** Branch, tag or commit. */
  readonly revision: string;
  /** A file or folder of the repository; left out: the root. */
  readonly path?: string;
}

export const DEFAULT_REVISION = 'main';

/** A part of a repository's name, as the Hub allows it. */
const NAME = /^(?!-|\.)(?!.*(--|\.\.))[\w.-]{1,96}(?<![-.])$/;
/** Letters that the names of git's refs are made of; `refs/pr/1` has slashes. */
const REVISION = /^(?!.*(\.\.|\/\/|@\{))[\w][\w./+-]{0,200}(?<![./])$/;
const SCHEME = 'hf://';

/** What `spec` names on the Hub; undefined where it does not look like it. Throws `usage` for malformed `hf://…`. */
export function parseHubSource(spec: string): HubSource | undefined {
  const isAddress = spec.startsWith(SCHEME);
  const text = isAddress ? spec.slice(SCHEME.length) : spec;
  const [, org = '', name = '', revision = DEFAULT_REVISION, rest] =
    /^([^/@]+)\/([^/@]+)(?:@(refs\/[^/]+\/[^/]+|[^/]+))?(?:\/(.*))?$/s.exec(text) ?? [];
  // Without the scheme, what has two slashes is a path on this machine.
  if (!isAddress && (rest !== undefined || /\.(gguf|onnx|json|safetensors)$/.test(name))) return undefined;
  const fits = NAME.test(org) && NAME.test(name) && REVISION.test(revision);
  if (fits && (rest === undefined || isRepositoryPath(rest))) {
    return { repository: `${org}/${name}`, revision, ...(rest !== undefined && { path: rest }) };
  }
  if (!isAddress) return undefined;
  throw usage(`${JSON.stringify(spec)} is no address on the Hub`, 'hf://org/name[@revision][/path]');
}

/** Whether a path can be one of a repository, and cannot leave a folder that it is joined to, on any system. */
export function isRepositoryPath(text: string): boolean {
  if (text.length > 1024 || /[\\:*?"<>|\p{Cc}]/u.test(text)) return false;
  return text.split('/').every((part) => !['', '.', '..'].includes(part) && part.length <= 255);
}

/** As people write it. */
export function printHubSource({ repository, revision, path }: HubSource): string {
  const at = revision === DEFAULT_REVISION ? '' : `@${revision}`;
  return path === undefined ? `${repository}${at}` : `${SCHEME}${repository}${at}/${path}`;
}

/** Whether `text` is the id of a repository, `org/name`, and nothing more. */
export function isRepository(text: string): boolean {
  const parts = text.split('/');
  return parts.length === 2 && parts.every((part) => NAME.test(part));
}
