import { PressError } from '../core/errors.ts';
import { Retries } from '../core/retries.ts';
import type { HubSettings } from './settings.ts';

export interface HubRequest {
  readonly method?: string;
  readonly headers?: Headers;
  readonly body?: string | Blob;
  readonly signal?: AbortSignal;
  /** Whether the request may be made twice, because it changes nothing or the same thing again. Default: true. */
  readonly repeatable?: boolean;
}

/** An answer whose body has not been read. */
export interface Answer {
  readonly response: Response;
  /** Aborted when the connection is, from either side of this program. */
  readonly signal: AbortSignal;
  /** Ends the connection. */
  abort(reason: unknown): void;
}

/** The Hub refuses a request. */
export class HubRefusal extends PressError {
  readonly status: number;

  constructor(file: string, status: number, what: string) {
    super('network', { file, what: `${what} (${status})` });
    this.status = status;
  }
}

/** Answers that another try may turn into better ones. */
const TRANSIENT = new Set([408, 425, 429, 500, 502, 503, 504]);
/** Of the Hub to its store and on to a cache: two are usual. */
const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/**
 * Makes a request to the Hub or to where the Hub leads, calling it `file` in messages. Redirects are followed here: the
 * token goes to the endpoint's own origin only, and nothing goes from https to http.
 * @throws PressError `network` for answers that are no success, after further tries where these may help.
 */
export async function request(
  settings: HubSettings,
  file: string,
  url: string,
  init: HubRequest = {},
): Promise<Answer> {
  const { signal, repeatable = true } = init;
  const retries = new Retries(settings.pauses, signal);
  for (;;) {
    let failure: PressError;
    let pause = 0;
    try {
      const answer = await follow(settings, file, url, init);
      const { response } = answer;
      if (response.ok) return answer;
      failure = await refusal(settings, file, answer);
      if (!TRANSIENT.has(response.status) || (!repeatable && response.status !== 429)) throw failure;
      pause = 1000 * (Number(response.headers.get('Retry-After')) || 0);
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof PressError) throw error;
      failure = unreachable(file, error);
      if (!repeatable) throw failure;
    }
    if (!(await retries.again(pause))) throw failure;
  }
}

export function unreachable(file: string, error: unknown): PressError {
  const cause = (error as Error).cause ?? error;
  const what = `cannot be reached: ${(cause as NodeJS.ErrnoException).code ?? (cause as Error).message}`;
  return new PressError('network', { file, what }, { cause: error });
}

async function follow(
  settings: HubSettings,
  file: string,
  address: string,
  init: HubRequest,
): Promise<Answer> {
  let url = new URL(address);
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    assertAddress(settings, file, url);
    const answer = await send(settings, url, init);
    const { status, headers } = answer.response;
    const location = headers.get('Location');
    if (!REDIRECTS.has(status) || location === null) return answer;
    answer.abort(new Error('redirected'));
    if (!URL.canParse(location, url)) throw hubFault(file, 'is redirected to what is no address');
    url = new URL(location, url);
  }
  throw hubFault(file, `is redirected more than ${MAX_REDIRECTS} times`);
}

/** One request and the head of its answer. */
async function send(settings: HubSettings, url: URL, init: HubRequest): Promise<Answer> {
  const { method = 'GET', body, signal } = init;
  const connection = new AbortController();
  const abort = (reason: unknown) => connection.abort(reason);
  const both = signal ? AbortSignal.any([signal, connection.signal]) : connection.signal;
  const timer = setTimeout(
    () => abort(new Error(`no answer for ${settings.timeout / 1000} s`)),
    // A body has to go there before an answer can come.
    body instanceof Blob ? LONGEST_UPLOAD : settings.timeout,
  );
  try {
    const response = await fetch(url, {
      ...{ method, redirect: 'manual', headers: headersFor(settings, url, init.headers) },
      ...(body !== undefined && { body }),
      signal: both,
    });
    return { response, signal: both, abort };
  } catch (error) {
    throw connection.signal.aborted ? connection.signal.reason : error;
  } finally {
    clearTimeout(timer);
  }
}

/** Milliseconds: some gigabytes over a line of a megabit. */
const LONGEST_UPLOAD = 12 * 3_600_000;

function headersFor(settings: HubSettings, url: URL, given?: Headers): Headers {
  const { token, endpoint } = settings;
  const headers = new Headers(given);
  headers.set('User-Agent', 'plmpress');
  if (token === undefined) return headers;
  if (url.origin === new URL(endpoint).origin) headers.set('Authorization', `Bearer ${token}`);
  // Stores have keys of their own; ours is none of their business.
  else if (headers.get('Authorization')?.includes(token)) headers.delete('Authorization');
  return headers;
}

function assertAddress(settings: HubSettings, file: string, url: URL): void {
  const isHttp = url.protocol === 'http:' && settings.endpoint.startsWith('http:');
  if (url.protocol !== 'https:' && !isHttp) throw hubFault(file, `leads from https to ${url.protocol}`);
  if (url.username !== '' || url.password !== '') throw hubFault(file, 'leads to an address with a password');
}

export function hubFault(file: string, what: string): PressError {
  return new PressError('network', { file, what });
}

const WHAT: Readonly<Record<number, string>> = {
  401: 'needs a token that may read it: set HF_TOKEN',
  403: 'is not allowed with this token, or its conditions have not been accepted',
  404: 'is not on the Hub, or HF_TOKEN may not see it',
  409: 'exists already or has changed meanwhile',
  412: 'has changed meanwhile',
  416: 'has fewer bytes than were asked for',
  429: 'too many requests, try again later',
};

async function refusal(settings: HubSettings, file: string, answer: Answer): Promise<HubRefusal> {
  const { status } = answer.response;
  answer.abort(new Error('refused'));
  const unauthorized = status === 401 && settings.token !== undefined;
  const what = unauthorized ? 'refuses the token' : (WHAT[status] ?? 'the server fails');
  return new HubRefusal(file, status, what);
}
