import type { IncomingMessage, RequestListener } from 'node:http';
import { refuse } from './refuse.ts';
import type { ServedHosts } from './served-hosts.ts';

/** Passes on only requests whose `Host` names this server. `hosts` is called for each request. */
export function guardHosts(hosts: () => ServedHosts, answer: RequestListener): RequestListener {
  return (request, response) => {
    const host = hostOf(request);
    const isAccepted = host === undefined ? undefined : hosts().accepts(host);
    if (isAccepted) return answer(request, response);
    response.setHeader('X-Content-Type-Options', 'nosniff');
    if (isAccepted === undefined) return refuse(response, 400);
    refuse(
      response,
      403,
      'this server does not answer to that name; start plmpress serve with --host NAME to allow it',
    );
  };
}

/**
 * The one `Host` that a request must have (RFC 9112, section 3.2). A full URL in place of a path is for a
 * proxy.
 */
function hostOf({ headersDistinct, url }: IncomingMessage): string | undefined {
  const [host, ...more] = headersDistinct.host ?? [];
  return more.length === 0 && url!.startsWith('/') ? host : undefined;
}
