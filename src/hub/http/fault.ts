import { PressError, printable } from '../../core/errors.ts';

/** A server sends something invalid. */
export function hubFault(file: string, what: string): PressError {
  return new PressError('network', { file, what });
}

/** The Hub refuses a request. */
export class HubRefusal extends PressError {
  readonly status: number;

  /** `reason`: the server's reason; empty if it gives none. */
  constructor(file: string, status: number, what: string, reason: string) {
    super('network', { file, what: `${what} (${status})${reason && `; the server says: ${reason}`}` });
    this.status = status;
  }
}

/** No server answers, or the connection breaks. */
export class HubUnreachable extends PressError {}

/** `host`: the server that was asked; left out where a body breaks off. */
export function unreachable(file: string, error: unknown, host?: string): HubUnreachable {
  const { code, message } = causeOf(error);
  const reason = (host !== undefined && code !== undefined && reasonFor(code, host, message)) || undefined;
  const what = `cannot be reached: ${reason === undefined ? (code ?? message) : `${reason} (${code})`}`;
  return new HubUnreachable('network', { file, what }, { cause: error });
}

/** Of what `fetch` throws, the error of the system. */
function causeOf(error: unknown): NodeJS.ErrnoException {
  return ((error as Error).cause ?? error) as NodeJS.ErrnoException;
}

const REASONS: Readonly<Record<string, (host: string) => string>> = {
  ENOTFOUND: (host) => `no such host ${host}`,
  EAI_NONAME: (host) => `no such host ${host}`,
  EAI_AGAIN: (host) => `the name ${host} cannot be looked up now`,
  ECONNREFUSED: (host) => `${host} refuses the connection`,
  ENETUNREACH: (host) => `no network leads to ${host}`,
  EHOSTUNREACH: (host) => `no network leads to ${host}`,
  EACCES: () => 'this machine does not allow the connection',
  EPERM: () => 'this machine does not allow the connection',
};

function reasonFor(code: string, host: string, message: string): string | undefined {
  const shown = printable(host);
  if (isCertificate(code)) return `the certificate of ${shown} is not trusted: ${printable(message)}`;
  return REASONS[code]?.(shown);
}

/** What Node reports of certificates, with the codes of OpenSSL and its own. */
function isCertificate(code: string): boolean {
  return /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|HOSTNAME_MISMATCH|INVALID_CA|PATH_LENGTH/.test(code);
}

/** The host name does not exist, so a retry does not help. */
const NO_HOST = new Set(['ENOTFOUND', 'EAI_NONAME', 'EAI_NODATA', 'EAI_FAIL', 'ENODATA']);
/** No server answers now: it is restarting, or the address is wrong. */
const NOBODY_THERE = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENETDOWN', 'EAI_AGAIN']);
/** Retries for a server that has never answered. */
const FIRST_TRIES = 2;

/**
 * Whether a retry may help. A server that has answered before (`isKnown`) probably comes back. One that has
 * never answered is probably a wrong address. `tries`: retries so far.
 */
export function mayPass(error: unknown, isKnown: boolean, tries: number): boolean {
  const { code = '', message } = causeOf(error);
  // `fetch` refuses ports of other protocols, without a code.
  if (message === 'bad port') return false;
  if (isCertificate(code) || ['EACCES', 'EPERM', 'ERR_INVALID_URL'].includes(code)) return false;
  // A server without TLS, or with another version of it.
  if (code.startsWith('ERR_SSL_') || code === 'EPROTO') return false;
  if (isKnown) return true;
  if (NO_HOST.has(code)) return false;
  return !NOBODY_THERE.has(code) || tries < FIRST_TRIES;
}
