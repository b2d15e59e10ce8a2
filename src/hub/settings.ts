import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { PressError, usage } from '../core/errors.ts';

/** How to reach the Hub, from the environment variables that all of its tools share. */
export interface HubSettings {
  /** Without a slash at the end. */
  readonly endpoint: string;
  readonly token?: string;
  /** The folder that holds `models--org--name`. */
  readonly cache: string;
  /** The folder in which each tool of the Hub may keep a folder of its own. */
  readonly assets: string;
  /** Whether snapshots in the cache may link to what they hold. */
  readonly symlinks: boolean;
  readonly offline: boolean;
  /** Milliseconds that a connection may take to answer, and to bring its next piece. */
  readonly timeout: number;
  /** Milliseconds before each further try of what failed. */
  readonly pauses: readonly number[];
}

export const HUB_ENDPOINT = 'https://huggingface.co';
const DEFAULT_TIMEOUT = 10;
/** Together some half a minute: servers that restart, and networks that change, are back by then. */
const PAUSES: readonly number[] = [500, 1000, 2000, 4000, 8000];
/** A token of the Hub has some 40 characters, a signed one of a proxy some thousand. */
const MAX_TOKEN_BYTES = 16_384;

/**
 * Reads HF_ENDPOINT, HF_TOKEN, HF_TOKEN_PATH, HF_HUB_DISABLE_IMPLICIT_TOKEN, HF_HOME, HF_HUB_CACHE,
 * HF_ASSETS_CACHE, HF_HUB_OFFLINE, HF_HUB_DISABLE_SYMLINKS, HF_HUB_DOWNLOAD_TIMEOUT and their older names, as
 * huggingface_hub does; what is empty counts as not set. Throws `usage` for values that are invalid,
 * `local-io` if the token's path is not a file. No message holds a token.
 */
export function hubSettings(env: NodeJS.ProcessEnv = process.env): HubSettings {
  const home = hubHome(env);
  const token = readToken(env, home);
  const folder = (names: readonly string[], otherwise: string) =>
    path.resolve(firstPath(env, names) ?? path.join(home, otherwise));
  return {
    endpoint: parseEndpoint(env.HF_ENDPOINT),
    ...(token !== undefined && { token }),
    cache: folder(['HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE'], 'hub'),
    assets: folder(['HF_ASSETS_CACHE', 'HUGGINGFACE_ASSETS_CACHE'], 'assets'),
    symlinks: !isTrue(env.HF_HUB_DISABLE_SYMLINKS),
    offline: isTrue(env.HF_HUB_OFFLINE || env.TRANSFORMERS_OFFLINE),
    timeout: 1000 * parseTimeout(env.HF_HUB_DOWNLOAD_TIMEOUT),
    pauses: PAUSES,
  };
}

function hubHome(env: NodeJS.ProcessEnv): string {
  const given = firstPath(env, ['HF_HOME']);
  if (given !== undefined) return path.resolve(given);
  const caches = firstPath(env, ['XDG_CACHE_HOME']) ?? path.join(userHome(env), '.cache');
  return path.resolve(caches, 'huggingface');
}

function userHome(env: NodeJS.ProcessEnv): string {
  return env.HOME || homedir();
}

/** The path in the first of these variables that is set. */
function firstPath(env: NodeJS.ProcessEnv, names: readonly string[]): string | undefined {
  for (const name of names) {
    const text = env[name];
    if (text) return expand(name, text, env);
  }
  return undefined;
}

/**
 * Puts in the home folder for `~` and values for `$NAME` and `${NAME}`, which no shell does where a variable
 * is set in a file or in quotes. Names that are not set stay, as in Python: all tools must mean the same
 * folder.
 */
function expand(name: string, text: string, env: NodeJS.ProcessEnv): string {
  const [, user, rest = ''] = /^~([^/\\]*)(.*)$/s.exec(text) ?? [];
  if (user) throw usage(`${name} begins with ~${user}`, 'the whole path of the folder');
  const path = user === undefined ? text : `${userHome(env)}${rest}`;
  const variable =
    process.platform === 'win32' ? /\$(\w+)|\$\{([^}]*)\}|%([^%]*)%/g : /\$(\w+)|\$\{([^}]*)\}/g;
  return path.replace(variable, (whole, ...names) => env[names.slice(0, 3).find(isText) ?? ''] ?? whole);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function parseEndpoint(text: string | undefined): string {
  if (!text) return HUB_ENDPOINT;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = url !== undefined && url.username === '' && url.search === '' && url.hash === '';
  if (isPlain && ['https:', 'http:'].includes(url.protocol)) return url.href.replace(/\/+$/, '');
  throw usage('HF_ENDPOINT is not an address of a server', HUB_ENDPOINT);
}

function parseTimeout(text: string | undefined): number {
  // Zero means the default, as for huggingface_hub.
  const seconds = Number(text || DEFAULT_TIMEOUT) || (Number(text) === 0 ? DEFAULT_TIMEOUT : Number.NaN);
  if (seconds > 0 && seconds <= 86_400) return seconds;
  throw usage(`HF_HUB_DOWNLOAD_TIMEOUT is ${JSON.stringify(text)}`, 'seconds');
}

function isTrue(text: string | undefined): boolean {
  return ['1', 'ON', 'YES', 'TRUE'].includes((text ?? '').toUpperCase());
}

function readToken(env: NodeJS.ProcessEnv, home: string): string | undefined {
  if (isTrue(env.HF_HUB_DISABLE_IMPLICIT_TOKEN)) return undefined;
  for (const name of ['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN']) {
    const given = env[name]?.trim();
    if (given) return checkedToken(given, name);
  }
  const file = firstPath(env, ['HF_TOKEN_PATH']) ?? path.join(home, 'token');
  let text: string;
  try {
    const stats = statSync(file);
    // Reading a FIFO would wait for ever. People set a null device to mean that there is no token.
    if (!stats.isFile() && !stats.isDirectory() && path.resolve(file) !== '/dev/null') {
      throw new PressError('local-io', {
        file,
        what: 'is not a regular file, so no token can be read from it',
      });
    }
    text = stats.isFile() && stats.size <= MAX_TOKEN_BYTES ? readFileSync(file, 'utf8').trim() : '';
  } catch (error) {
    if (error instanceof PressError) throw error;
    // Nobody has logged in on this machine.
    return undefined;
  }
  return text === '' ? undefined : checkedToken(text, path.basename(file));
}

/**
 * Checks that a token can stand in a header, where line breaks could forge other headers. Proxies have tokens
 * of their own forms, so nothing else is checked.
 */
function checkedToken(token: string, where: string): string {
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw usage(`${where} is not a token of the Hub`, 'letters, digits and signs, on one line');
}
