import { realpathSync } from 'node:fs';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { bundlesIn, isBundle, LIST_POLICY, listPage } from './bundle-list.ts';
import { parseRange } from './byte-range.ts';
import { mediaType } from './media-types.ts';
import { refuse } from './refuse.ts';
import { openServed, type ServedFile } from './served-file.ts';

/** Names that hold a hash of the content, as `w-0123456789abcdef.bin`: another content has another name. */
const CONTENT_NAMED = /-[0-9a-f]{16,64}\.[a-z]+$/;
const [FOREVER, ASK_FIRST] = ['public, max-age=31536000, immutable', 'no-cache'];

/**
 * Answers GET and HEAD for the files of `folder`: a bundle, or a folder of bundles, of which it shows the
 * only one or a list.
 */
export function requestHandler(folder: string): RequestListener {
  const root = realpathSync(folder);
  return (request, response) => {
    // An error while a file is sent has already ended the connection, so it cannot be reported.
    answer(root, request, response).catch(() => response.destroy());
  };
}

async function answer(root: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.setHeader('X-Content-Type-Options', 'nosniff');
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD');
    return refuse(response, 405);
  }
  const parts = addressParts(request.url!);
  if (parts === undefined) return refuse(response, 400);
  if (parts.join() === '' && !isBundle(root)) {
    const names = bundlesIn(root);
    // A temporary redirect, since another bundle may be added.
    return names.length === 1 ? redirect(response, 302, names[0]!) : sendList(request, response, names);
  }
  // A folder's page needs the slash at the end, or its relative links lead elsewhere.
  if (parts.length === 1 && bundlesIn(root).includes(parts[0]!)) return redirect(response, 301, parts[0]!);
  const file = await openServed(root, parts.at(-1) === '' ? [...parts.slice(0, -1), 'index.html'] : parts);
  if (file === undefined) return refuse(response, 404);
  try {
    await sendFile(request, response, file);
  } finally {
    await file.handle.close();
  }
}

/** Leads to the page of a bundle. */
function redirect(response: ServerResponse, status: 301 | 302, name: string): void {
  response.writeHead(status, { Location: `/${encodeURIComponent(name)}/` }).end();
}

/** What stands between the slashes of an address; undefined where it is none. */
function addressParts(url: string): string[] | undefined {
  try {
    // Not `new URL`, which would resolve the dots of ways up.
    return url
      .replace(/[?#].*$/s, '')
      .slice(1)
      .split('/')
      .map(decodeURIComponent);
  } catch {
    return undefined;
  }
}

async function sendFile(request: IncomingMessage, response: ServerResponse, file: ServedFile): Promise<void> {
  const { size, etag } = file;
  const named = CONTENT_NAMED.test(path.basename(file.path));
  response.setHeader('ETag', etag);
  response.setHeader('Cache-Control', named ? FOREVER : ASK_FIRST);
  if (matches(request.headers['if-none-match'], etag)) return void response.writeHead(304).end();

  response.setHeader('Accept-Ranges', 'bytes');
  response.setHeader('Content-Type', mediaType(file.path));
  const unchanged = [undefined, etag].includes(request.headers['if-range'] as string | undefined);
  const range = parseRange(unchanged && request.method === 'GET' ? request.headers.range : undefined, size);
  if (range === 'unsatisfiable') {
    response.setHeader('Content-Range', `bytes */${size}`);
    return refuse(response, 416);
  }
  const { start, end } = range === 'none' ? { start: 0, end: size } : range;
  response.setHeader('Content-Length', end - start);
  if (range !== 'none') response.setHeader('Content-Range', `bytes ${start}-${end - 1}/${size}`);
  response.writeHead(range === 'none' ? 200 : 206);
  if (request.method === 'HEAD' || start === end) return void response.end();
  await pipeline(file.handle.createReadStream({ start, end: end - 1, autoClose: false }), response);
}

function matches(header: string | undefined, etag: string): boolean {
  const tags = header?.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return tags !== undefined && (tags.includes('*') || tags.includes(etag));
}

function sendList(request: IncomingMessage, response: ServerResponse, names: readonly string[]): void {
  const page = listPage(names);
  response.writeHead(200, {
    'Content-Type': 'text/html; charset=utf-8',
    'Cache-Control': ASK_FIRST,
    'Content-Security-Policy': LIST_POLICY,
    'Content-Length': Buffer.byteLength(page),
  });
  response.end(request.method === 'HEAD' ? undefined : page);
}
