/**
 * Milliseconds that a server asks to wait before the next request; 0 where it does not say. It may say so in
 * `Retry-After` (RFC 9110: seconds or a date), in the `RateLimit` of the drafts of the IETF, whose items tell
 * how much is left and for how long (`"api";r=0;t=55`, before draft 8 `limit=500, remaining=0, reset=55`), or
 * in `RateLimit-Reset`.
 */
export function askedPause(headers: Headers, now = Date.now()): number {
  const seconds = [...retryAfter(headers, now), ...rateLimit(headers), ...rateLimitReset(headers)];
  return 1000 * Math.max(0, ...seconds);
}

function retryAfter(headers: Headers, now: number): number[] {
  const text = headers.get('Retry-After')?.trim() ?? '';
  if (/^\d+(\.\d+)?$/.test(text)) return [Number(text)];
  const date = Date.parse(text);
  return Number.isNaN(date) ? [] : [Math.ceil((date - now) / 1000)];
}

function rateLimit(headers: Headers): number[] {
  const text = headers.get('RateLimit') ?? '';
  // Members of the older form are separated by commas, as items of the newer one are.
  const items = /\bremaining\s*=/.test(text) ? [text] : text.split(',');
  return items
    .filter((item) => memberOf(item, 'r|remaining') === 0)
    .map((item) => memberOf(item, 't|reset') ?? 0);
}

function memberOf(item: string, names: string): number | undefined {
  const digits = new RegExp(`(?:^|[;,\\s])(?:${names})\\s*=\\s*(\\d{1,9})`).exec(item)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

function rateLimitReset(headers: Headers): number[] {
  const [left, reset] = [headers.get('RateLimit-Remaining'), headers.get('RateLimit-Reset')];
  return left?.trim() === '0' && /^\s*\d{1,9}\s*$/.test(reset ?? '') ? [Number(reset)] : [];
}
