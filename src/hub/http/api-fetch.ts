import type { HubRun } from '../run.ts';
import { wholeBody } from './body.ts';
import { HubRefusal, hubFault } from './fault.ts';
import { request } from './request.ts';
import { SentBlob } from './sent-blob.ts';

/** A page of the largest listing takes a third of a megabyte, what stores answer up to 64 MB. */
const MAX_JSON_BYTES = 16_000_000;
const MAX_STORE_BYTES = 80_000_000;
const NEXT_PAGE = /<([^>]*)>\s*;\s*rel="?next\b/i;

/** Paths of requests that must not be made twice when nobody knows whether the first came through. */
const ONCE = /\/commit\/[^/]+(\?.*)?$|\/api\/repos\/create$/;

/** Takes how many bytes of a file's content have been sent so far. */
export type OnSent = (path: string, bytes: number) => void;

/**
 * A `fetch` for `@huggingface/hub`, which does not check answers itself. Bodies are bounded and must be the
 * requested JSON, further pages must have the requested address, and the token is sent to its server only.
 * `name` is its name in messages.
 */
export function apiFetch(run: HubRun, name: string, onSent?: OnSent): typeof fetch {
  const { settings } = run;
  const { origin } = new URL(settings.endpoint);
  return async (input, init = {}) => {
    const url = input instanceof Request ? input.url : String(input);
    const { method = 'GET', body } = init;
    // Its stores, which hold the content of large files, are elsewhere.
    const isApi = URL.canParse(url) && new URL(url).origin === origin;
    let answer: Awaited<ReturnType<typeof request>>;
    try {
      answer = await request(run, name, url, {
        method,
        headers: new Headers(init.headers),
        repeatable: !ONCE.test(url),
        ...(body !== undefined && body !== null && { body: sendable(body, hintOf(init), onSent) }),
      });
    } catch (error) {
      // Stores say in this way that they do not have something yet.
      if (!isApi && error instanceof HubRefusal && error.status === 404) return new Response(null, error);
      throw error;
    }
    const { response } = answer;
    const { status, headers } = response;
    const isJson = isApi && method !== 'PUT';
    const type = headers.get('Content-Type') ?? '';
    if (isJson && !/\bjson\b/.test(type)) {
      answer.abort(new Error('not JSON'));
      throw hubFault(name, `the server answers with ${type || 'no type'} instead of JSON`);
    }
    const limit = isApi ? MAX_JSON_BYTES : MAX_STORE_BYTES;
    const bytes = await wholeBody(answer, name, { timeout: settings.timeout, limit });
    if (isJson) assertJson(name, bytes);
    const seen = withOwnPages(headers, url);
    return new Response(status === 204 ? null : Uint8Array.from(bytes), { status, headers: seen });
  };
}

/** Options that the package passes for uploads, beside those of `fetch`. */
interface ProgressHint {
  readonly path?: string;
  readonly part?: number;
}

function hintOf(init: RequestInit): ProgressHint {
  return (init as { readonly progressHint?: ProgressHint }).progressHint ?? {};
}

function sendable(
  body: NonNullable<RequestInit['body']>,
  { path, part = 0 }: ProgressHint,
  onSent?: OnSent,
): string | Blob {
  if (typeof body === 'string') return body;
  const blob = body instanceof Blob ? body : new Blob([body as Uint8Array<ArrayBuffer>]);
  if (path === undefined || onSent === undefined) return blob;
  return new SentBlob(blob, (bytes) => onSent(`${part} ${path}`, bytes));
}

/**
 * The headers of an answer, with the link to its next page, if any, changed to the requested address: the
 * package follows any link. A mirror may pass on a link of the Hub, or one without its own path, so only the
 * query of the link is used.
 */
function withOwnPages(given: Headers, url: string): Headers {
  const headers = new Headers(given);
  const address = NEXT_PAGE.exec(headers.get('Link') ?? '')?.[1];
  headers.delete('Link');
  if (address === undefined || !URL.canParse(address, url)) return headers;
  const next = new URL(url);
  next.search = new URL(address, url).search;
  headers.set('Link', `<${next}>; rel="next"`);
  return headers;
}

/** Every answer of the Hub is an object or a list; the package reads members of whatever comes. */
function assertJson(name: string, bytes: Buffer): void {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw hubFault(name, 'the answer is not JSON');
  }
  if (typeof value !== 'object' || value === null) throw hubFault(name, 'the answer is not a JSON object');
}
