import { setTimeout as sleep } from 'node:timers/promises';
import { PressError } from '../../core/errors.ts';
import { Retries } from '../../core/jobs/retries.ts';
import type { HubRun } from '../run.ts';
import type { HubSettings } from '../settings.ts';
import type { Answer } from './answer.ts';
import { askedPause } from './asked-pause.ts';
import { hubFault, mayPass, unreachable } from './fault.ts';
import { refusal } from './refusal.ts';

export interface HubRequest {
  readonly method?: string;
  readonly headers?: Headers;
  readonly body?: string | Blob;
  /**
   * Whether the request may be made twice, because it changes nothing or the same thing again. Default: true.
   */
  readonly repeatable?: boolean;
}

/** Answers that another try may turn into better ones. */
const TRANSIENT = new Set([408, 425, 429, 500, 502, 503, 504]);
/** Of the Hub to its store and on to a cache: two are usual. */
const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/**
 * Longest that one request waits in all because servers ask for it: the Hub counts requests by five minutes.
 */
const LONGEST_WAIT = 600_000;
/** Servers that have answered in this process. */
const answering = new Set<string>();

/**
 * Makes a request to the Hub or to where the Hub leads, calling it `file` in messages. Redirects are followed
 * here: the token goes to the endpoint's own origin only, and nothing goes from https to http.
 * @throws PressError `network` for refusals and failures, after further tries where these may help, and
 * offline.
 */
export async function request(
  { settings, signal, progress }: HubRun,
  file: string,
  url: string,
  init: HubRequest = {},
): Promise<Answer> {
  if (settings.offline) throw hubFault(file, 'is not requested, since HF_HUB_OFFLINE is set');
  const { repeatable = true } = init;
  const retries = new Retries(settings.pauses, signal);
  let [tries, waited] = [0, 0];
  for (;;) {
    let failure: PressError;
    let pause = 0;
    const place = { url: new URL(url) };
    try {
      const answer = await follow(settings, file, place, init, signal);
      const { response } = answer;
      if (response.ok) return asPlain(answer, file);
      failure = await refusal(settings, file, answer);
      signal?.throwIfAborted();
      if (!TRANSIENT.has(response.status) || (!repeatable && response.status !== 429)) throw failure;
      pause = askedPause(response.headers);
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof PressError) throw error;
      const { host, origin } = place.url;
      failure = unreachable(file, error, host);
      if (!repeatable || !mayPass(error, answering.has(origin), tries)) throw failure;
    }
    tries++;
    waited += pause;
    if (waited > LONGEST_WAIT) throw failure;
    if (pause > 0) {
      progress?.({ kind: 'note', message: `${file}: the server asks to wait ${Math.ceil(pause / 1000)} s` });
      await sleep(pause, undefined, signal && { signal }).catch(() => undefined);
      signal?.throwIfAborted();
    } else if (!(await retries.again())) throw failure;
  }
}

/** Codings that Node decodes by itself. None is requested, but proxies compress all the same. */
const KNOWN_CODINGS = new Set(['gzip', 'x-gzip', 'deflate', 'br']);
/** What stores send that leaves the bytes as they are: Node takes off nothing then. */
const NO_CODINGS = new Set(['', 'identity', 'none', 'utf-8', 'binary', 'aws-chunked']);

function codingsOf({ headers }: Response): string[] {
  const codings = (headers.get('Content-Encoding') ?? '').toLowerCase().split(',');
  return codings.map((coding) => coding.trim()).filter((coding) => !NO_CODINGS.has(coding));
}

function asPlain(answer: Answer, file: string): Answer {
  const unknown = codingsOf(answer.response).find((coding) => !KNOWN_CODINGS.has(coding));
  if (unknown === undefined) return answer;
  answer.abort(new Error('unknown coding'));
  throw hubFault(file, `the server compressed with ${unknown}, which was not requested`);
}

/** Whether an answer was compressed on its way: its `Content-Length` is not that of the file. */
export function isCompressed(response: Response): boolean {
  return codingsOf(response).length > 0;
}

async function follow(
  settings: HubSettings,
  file: string,
  /** Where the request is: it moves with each redirect. */
  place: { url: URL },
  init: HubRequest,
  signal: AbortSignal | undefined,
): Promise<Answer> {
  let linked: string | null = null;
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    const { url } = place;
    assertAddress(settings, file, url);
    const answer = await send(settings, url, init, signal);
    answering.add(url.origin);
    const { status, headers } = answer.response;
    linked ??= headers.get('X-Linked-ETag');
    const location = headers.get('Location');
    if (!REDIRECTS.has(status) || location === null) {
      return { ...answer, etags: [linked, headers.get('ETag')] };
    }
    answer.abort(new Error('redirected'));
    if (!URL.canParse(location, url))
      throw hubFault(file, 'is redirected to something that is not an address');
    place.url = new URL(location, url);
  }
  throw hubFault(file, `is redirected more than ${MAX_REDIRECTS} times`);
}

/** One request and the head of its answer. */
async function send(
  settings: HubSettings,
  url: URL,
  init: HubRequest,
  signal: AbortSignal | undefined,
): Promise<Omit<Answer, 'etags'>> {
  const { method = 'GET', body } = init;
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
      method,
      redirect: 'manual',
      headers: headersFor(settings, url, init.headers),
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
  else if (headers.get('Authorization') === `Bearer ${token}`) headers.delete('Authorization');
  return headers;
}

function assertAddress(settings: HubSettings, file: string, url: URL): void {
  const isHttp = url.protocol === 'http:' && settings.endpoint.startsWith('http:');
  if (url.protocol !== 'https:' && !isHttp) throw hubFault(file, `leads from https to ${url.protocol}`);
  if (url.username !== '' || url.password !== '') throw hubFault(file, 'leads to an address with a password');
}
