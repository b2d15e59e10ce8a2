import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { usage } from '../core/errors.ts';

/** How to reach the Hub, from the environment variables that all of its tools share. */
export interface HubSettings {
  /** Without a slash at the end. */
  readonly endpoint: string;
  readonly token?: string;
  /** The folder that holds `models--org--name`. */
  readonly cache: string;
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
/** A token is some 40 characters. */
const MAX_TOKEN_BYTES = 4096;

/**
 * Reads HF_ENDPOINT, HF_TOKEN, HF_TOKEN_PATH, HF_HOME, HF_HUB_CACHE, HF_HUB_OFFLINE and HF_HUB_DOWNLOAD_TIMEOUT, as
 * huggingface_hub does. Throws `usage` for values that cannot be meant, and tells of a token nothing.
 */
export function hubSettings(env: NodeJS.ProcessEnv = process.env): HubSettings {
  const home = hubHome(env);
  const token = readToken(env, home);
  return {
    endpoint: parseEndpoint(env.HF_ENDPOINT),
    ...(token !== undefined && { token }),
    cache: path.resolve(env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE || path.join(home, 'hub')),
    offline: isTrue(env.HF_HUB_OFFLINE),
    timeout: 1000 * parseTimeout(env.HF_HUB_DOWNLOAD_TIMEOUT),
    pauses: PAUSES,
  };
}

function hubHome(env: NodeJS.ProcessEnv): string {
  if (env.HF_HOME) return path.resolve(env.HF_HOME);
  return path.join(env.XDG_CACHE_HOME || path.join(env.HOME || homedir(), '.cache'), 'huggingface');
}

function parseEndpoint(text: string | undefined): string {
  if (!text) return HUB_ENDPOINT;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = url !== undefined && url.username === '' && url.search === '' && url.hash === '';
  if (isPlain && ['https:', 'http:'].includes(url.protocol)) return url.href.replace(/\/+$/, '');
  throw usage('HF_ENDPOINT is no address of a server', HUB_ENDPOINT);
}

function parseTimeout(text: string | undefined): number {
  const seconds = Number(text || DEFAULT_TIMEOUT);
  if (seconds > 0 && seconds <= 86_400) return seconds;
  throw usage(`HF_HUB_DOWNLOAD_TIMEOUT is ${JSON.stringify(text)}`, 'seconds');
}

function isTrue(text: string | undefined): boolean {
  return ['1', 'ON', 'YES', 'TRUE'].includes((text ?? '').toUpperCase());
}

function readToken(env: NodeJS.ProcessEnv, home: string): string | undefined {
  const given = env.HF_TOKEN?.trim() || env.HUGGING_FACE_HUB_TOKEN?.trim();
  if (given) return checkedToken(given, 'HF_TOKEN');
  const file = env.HF_TOKEN_PATH || path.join(home, 'token');
  let text: string;
  try {
    text = readFileSync(file, 'latin1').slice(0, MAX_TOKEN_BYTES).trim();
  } catch {
    // Nobody has logged in on this machine.
    return undefined;
  }
  return text === '' ? undefined : checkedToken(text, path.basename(file));
}

/** What is no token would end up in a header: line breaks could forge others. */
function checkedToken(token: string, where: string): string {
  if (/^[\w-]{8,500}$/.test(token)) return token;
  throw usage(`${where} holds no token of the Hub`, 'hf_ and letters or digits, on one line');
}
