import type { HubSettings } from '../settings.ts';
import type { Answer } from './answer.ts';
import { askedPause } from './asked-pause.ts';
import { wholeBody } from './body.ts';
import { HubRefusal } from './fault.ts';

/**
 * Longest body of a refusal that is read, and milliseconds that it may take: the status alone says enough.
 */
const MAX_REASON_BYTES = 16_384;
const REASON_TIMEOUT = 2000;
/** Longest reason that is shown: those of the Hub take up to 170 characters, and a message has 300. */
const MAX_REASON_LENGTH = 180;

/** By `X-Error-Code`, which says more than the status: the Hub gives 401 for what is not there. */
const BY_CODE: Readonly<Record<string, string>> = {
  GatedRepo: 'has conditions: accept them on its page with the account of the token',
  RepoNotFound: 'is not on the Hub, or HF_TOKEN may not see it',
  RevisionNotFound: 'has no such revision',
  EntryNotFound: 'is not in the repository',
  DisabledRepo: 'is disabled by the Hub',
};

const BY_STATUS: Readonly<Record<number, string>> = {
  401: 'needs a token that may read it: set HF_TOKEN',
  404: 'is not on the Hub, or HF_TOKEN may not see it',
  409: 'exists already or has changed in the meantime',
  412: 'has changed in the meantime',
  413: 'is larger than the server accepts',
  416: 'has fewer bytes than requested',
};

/** For status 403, if the server gives no reason. */
const FORBIDDEN = 'is not allowed with this token, or its conditions have not been accepted';

/** The error for an answer that is not a success, with the server's reason. Ends the connection. */
export async function refusal(settings: HubSettings, file: string, answer: Answer): Promise<HubRefusal> {
  const { status, headers } = answer.response;
  const reason = await reasonOf(settings, file, answer);
  const known = BY_CODE[headers.get('X-Error-Code') ?? ''];
  const what = (settings.token !== undefined && status === 401 && !known && 'rejects the token') || known;
  const forbidden = status === 403 && reason === '' ? FORBIDDEN : undefined;
  const said = what ?? BY_STATUS[status] ?? (status === 429 ? tooMany(headers) : forbidden);
  const words = said ?? (status < 500 ? 'is refused' : 'the server failed');
  return new HubRefusal(file, status, words, reason);
}

function tooMany(headers: Headers): string {
  const pause = askedPause(headers);
  return `too many requests, try again ${pause > 0 ? `in ${Math.ceil(pause / 1000)} s` : 'later'}`;
}

/** The reason that the server gives; empty if it gives none. */
async function reasonOf({ token, timeout }: HubSettings, file: string, answer: Answer): Promise<string> {
  const { headers } = answer.response;
  const type = headers.get('Content-Type') ?? '';
  const limits = { timeout: Math.min(timeout, REASON_TIMEOUT), limit: MAX_REASON_BYTES };
  // Whatever is wrong with the body, the refusal is what counts.
  const body = await wholeBody(answer, file, limits).then(String, () => '');
  const said = [headers.get('X-Error-Message') ?? '', ...textsOf(type, body)];
  const texts = said.map((text) => text.replace(/\s+/g, ' ').trim()).filter((text) => text !== '');
  const reason = [...new Set(texts)].join(', ');
  // What follows a question mark in an address may be a signature.
  const harmless = reason.replace(/(\bhttps?:[^\s?]*)\?\S*/g, '$1');
  const secret = token === undefined ? harmless : harmless.replaceAll(token, '…');
  return secret.length > MAX_REASON_LENGTH ? `${secret.slice(0, MAX_REASON_LENGTH)}…` : secret;
}

function textsOf(type: string, body: string): string[] {
  // Stores answer as S3 does.
  if (/\bxml\b/.test(type)) return [/<Message>([^<]*)<\/Message>/.exec(body)?.[1] ?? ''];
  if (/^text\/plain\b/.test(type)) return [body];
  // Proxies of companies and their filters answer with pages.
  if (/^text\/html\b/.test(type)) return [/<title[^>]*>([^<]*)<\/title>/i.exec(body)?.[1] ?? ''];
  if (!/\bjson\b/.test(type)) return [];
  try {
    return textsOfJson(JSON.parse(body));
  } catch {
    return [];
  }
}

/**
 * Members in which servers say why: of the Hub, of Git LFS, of frameworks that mirrors are made with, of RFC
 * 9457.
 */
const REASONS = ['error', 'error_description', 'message', 'title', 'detail', 'errors'];

/** A reason may be a text, a list of such, or an object that has it in a member of these names again. */
function textsOfJson(value: unknown, depth = 2): string[] {
  if (typeof value !== 'object' || value === null || depth === 0) return [];
  const members = value as Record<string, unknown>;
  return REASONS.flatMap((name) => [members[name]].flat()).flatMap((found) =>
    typeof found === 'string' ? [found] : textsOfJson(found, depth - 1),
  );
}
