import { wholeBody } from './body.ts';
import { hubFault, request } from './request.ts';
import type { HubSettings } from './settings.ts';

/** A page of the largest listing takes a third of a megabyte. */
const MAX_JSON_BYTES = 16_000_000;
const LINK = /<([^>]*)>;\s*rel="?([^",;]+)"?/g;

/** Paths of requests that must not be made twice when nobody knows whether the first came through. */
const ONCE = /\/commit\/[^/]+(\?.*)?$|\/api\/repos\/create$/;

/**
 * A `fetch` for `@huggingface/hub`, which checks nothing of what servers say: bodies are bounded and must be the JSON that
 * was asked for, pages go on at the endpoint's origin only, and the token stays there. `name` is what messages call it.
 */
export function apiFetch(settings: HubSettings, name: string, signal?: AbortSignal): typeof fetch {
  return async (input, init = {}) => {
    const url = input instanceof Request ? input.url : String(input);
    const { method = 'GET', body } = init;
    const answer = await request(settings, name, url, {
      ...{ method, headers: new Headers(init.headers), repeatable: !ONCE.test(url) },
      ...(signal && { signal }),
      ...(body !== undefined && body !== null && { body: uploadable(body) }),
    });
    const { response } = answer;
    const isUpload = method === 'PUT';
    const type = response.headers.get('Content-Type') ?? '';
    if (!isUpload && !/\bjson\b/.test(type)) {
      answer.abort(new Error('not JSON'));
      throw hubFault(name, `the server answers with ${type || 'no type'} instead of JSON`);
    }
    assertLinks(settings, name, response.headers.get('Link'));
    const bytes = await wholeBody(answer, name, { timeout: settings.timeout, limit: MAX_JSON_BYTES });
    if (!isUpload) assertJson(name, bytes);
    const { status, headers } = response;
    return new Response(status === 204 ? null : Uint8Array.from(bytes), { status, headers });
  };
}

function uploadable(body: NonNullable<RequestInit['body']>): string | Blob {
  if (typeof body === 'string' || body instanceof Blob) return body;
  if (ArrayBuffer.isView(body)) return new Blob([body as Uint8Array<ArrayBuffer>]);
  throw new TypeError('a body that cannot be sent twice');
}

/** The package follows these wherever they lead. */
function assertLinks(settings: HubSettings, name: string, header: string | null): void {
  const { origin } = new URL(settings.endpoint);
  for (const [, address = ''] of (header ?? '').matchAll(LINK)) {
    const stays = URL.canParse(address) && new URL(address).origin === origin;
    if (!stays) throw hubFault(name, 'the next page of the answer is on another server');
  }
}

function assertJson(name: string, bytes: Buffer): void {
  try {
    JSON.parse(bytes.toString('utf8'));
  } catch {
    throw hubFault(name, 'the answer is not JSON');
  }
}
