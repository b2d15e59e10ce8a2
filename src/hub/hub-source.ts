import { usage } from '../core/errors.ts';
import { isRepository } from '../core/hub-origin.ts';

/**
 * A place on the Hub, as `org/name`, `org/name@revision`, `org/name:Q4_K_M`, `hf://org/name@revision/path` or
 * the address of a page of the Hub names it.
 */
export interface HubSource {
  /** `org/name`. */
  readonly repository: string;
  /** Branch, tag or commit. */
  readonly revision: string;
  /** A file or folder of the repository; left out: the root. */
  readonly path?: string;
  /** Names one of several GGUF files, as llama.cpp and Ollama do: `Q4_K_M`. */
  readonly quantization?: string;
}

export const DEFAULT_REVISION = 'main';

/** Letters that the names of git's refs are made of; `refs/pr/1` has slashes. */
const REVISION = /^(?!.*(\.\.|\/\/|@\{))[\w][\w./+-]{0,200}(?<![./])$/;
const QUANTIZATION = /^[A-Za-z0-9][\w.-]{0,40}$/;
const SCHEME = 'hf://';
/** The beginnings of addresses of the Hub. */
const HOSTS = ['huggingface.co', 'www.huggingface.co', 'hf.co'];
/** Kinds of repositories that precede their names. A name without a kind is a model. */
const KINDS: Readonly<Record<string, string>> = {
  models: 'a model',
  datasets: 'a data set',
  spaces: 'a space',
  kernels: 'a kernel',
  buckets: 'a bucket',
};
/** Pages of a repository whose addresses continue with a revision. */
const PAGES = new Set(['tree', 'blob', 'resolve', 'raw', 'blame', 'commit']);
const EXPECTED = 'hf://org/name[@revision][/path]';

/**
 * What `spec` names on the Hub; undefined where it does not look like it. Throws `usage` for addresses that
 * name no model on the Hub. `endpoint`: the Hub's own address, where it is another, as HF_ENDPOINT has it.
 */
export function parseHubSource(spec: string, endpoint = ''): HubSource | undefined {
  const text = spec.trim();
  if (/^hf:\/\//i.test(text)) return parsePlace(spec, text.slice(SCHEME.length));
  const page = parsePage(spec, text, endpoint);
  if (page !== undefined) return page;
  // Without the scheme, what has two slashes is a path on this machine, unless it says of what kind it is.
  const [kind = '', ...parts] = text.replace(/\/$/, '').split('/');
  if (Object.hasOwn(KINDS, kind)) return parts.length === 2 ? parsePlace(spec, text) : undefined;
  const [, place, name = '', quantization] =
    /^([^/@:]+\/([^/@:]+)(?:@[^:]*)?)(?::([^/:]*))?\/?$/.exec(text) ?? [];
  if (place === undefined || /\.(gguf|onnx|json|safetensors)$/i.test(name)) return undefined;
  const [, repository = '', revision = DEFAULT_REVISION] = /^([^@]+)(?:@(.*))?$/s.exec(place) ?? [];
  const fits = isRepository(repository) && REVISION.test(revision) && !isPathIn(revision);
  if (!fits || (quantization !== undefined && !QUANTIZATION.test(quantization))) return undefined;
  return { repository, revision, ...(quantization !== undefined && { quantization }) };
}

/** Whether the text after the `@` is a revision with a path: of revisions, only refs have slashes. */
function isPathIn(revision: string): boolean {
  return revision.includes('/') && !/^refs\/[^/]+\/[^/]+$/.test(revision);
}

/** `[kind/]org/name[@revision][:quantization][/path]`. */
function parsePlace(spec: string, text: string): HubSource {
  const [first = ''] = text.split('/');
  const place = Object.hasOwn(KINDS, first) ? text.slice(first.length + 1) : text;
  if (place !== text && first !== 'models') {
    throw usage(`${JSON.stringify(spec)} is ${KINDS[first]} on the Hub, not a model`, EXPECTED);
  }
  const [, repository = '', revision = DEFAULT_REVISION, quantization, rest] =
    /^([^/@:]+\/[^/@:]+)(?:@(refs\/[^/:]+\/[^/:]+|[^/:]+))?(?::([^/]*))?(?:\/(.*))?$/s.exec(place) ?? [];
  const path = rest?.replace(/\/$/, '') || undefined;
  const named = decoded(revision);
  const fits = isRepository(repository) && named !== undefined && REVISION.test(named);
  const isOne = path === undefined || quantization === undefined;
  const isTag = quantization === undefined || QUANTIZATION.test(quantization);
  if (!fits || !isOne || !isTag || (path !== undefined && !isRepositoryPath(path))) {
    throw usage(`${JSON.stringify(spec)} is not an address on the Hub`, EXPECTED);
  }
  return {
    repository,
    revision: named,
    ...(path !== undefined && { path }),
    ...(quantization !== undefined && { quantization }),
  };
}

/** The model that the address of a page names, with or without `https://`; undefined for other text. */
function parsePage(spec: string, text: string, endpoint: string): HubSource | undefined {
  const hub = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  const hosts = [...HOSTS, ...(hub ? [hub.host] : [])];
  const [start = ''] = text.toLowerCase().split('/');
  if (/^git@/i.test(start)) throw usage(`${JSON.stringify(spec)} is a git address`, EXPECTED);
  const isAddress = /^[a-z][a-z\d+.-]+:\/\//i.test(text);
  if (!isAddress && !(text.includes('/') && hosts.includes(start))) return undefined;
  const address = isAddress ? text : `https://${text}`;
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || !hosts.includes(url.host)) {
    throw usage(
      `${JSON.stringify(spec)} is not an address on the Hub`,
      `${EXPECTED}; HF_ENDPOINT names another server`,
    );
  }
  const base = url.host === hub?.host ? hub.pathname.replace(/\/$/, '') : '';
  const way = url.pathname.startsWith(`${base}/`) ? url.pathname.slice(base.length) : url.pathname;
  const parts = way.split('/').filter((part) => part !== '');
  const kind = Object.hasOwn(KINDS, parts[0] ?? '') ? [parts.shift()!] : [];
  const [org = '', name = '', page, revision, ...path] = parts;
  const place = [...kind, org, name.replace(/\.git$/, '')].join('/');
  if (page === undefined || revision === undefined) {
    if (page === undefined || PAGES.has(page)) return parsePlace(spec, decoded(place) ?? place);
    throw noModelPage(spec);
  }
  if (!PAGES.has(page)) throw noModelPage(spec);
  const rest = [revision, ...path].map((part) => decoded(part)?.replaceAll('/', '%2F') ?? part);
  return parsePlace(spec, `${place}@${rest.join('/')}`);
}

function noModelPage(spec: string) {
  return usage(`${JSON.stringify(spec)} is a page of the Hub, but not of a model or file`, EXPECTED);
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/**
 * Whether a path can be one of a repository, and cannot leave a folder that it is joined to, on any system.
 */
export function isRepositoryPath(text: string): boolean {
  if (text.length > 1024 || /[\\:*?"<>|\p{Cc}]/u.test(text)) return false;
  return text.split('/').every((part) => !['', '.', '..'].includes(part) && part.length <= 255);
}

/** As people write it. */
export function printHubSource({ repository, revision, path, quantization }: HubSource): string {
  const isRef = revision.startsWith('refs/');
  const name = isRef ? revision : revision.replaceAll('/', '%2F');
  const at = revision === DEFAULT_REVISION ? '' : `@${name}`;
  const place = `${repository}${at}${quantization === undefined ? '' : `:${quantization}`}`;
  if (path !== undefined) return `${SCHEME}${place}/${path}`;
  return name === revision ? place : `${SCHEME}${place}`;
}
