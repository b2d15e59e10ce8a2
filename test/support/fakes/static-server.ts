import { createReadStream, statSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';

const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.mjs': 'text/javascript; charset=utf-8',
  '.wasm': 'application/wasm',
};

/** Without these two a page has no SharedArrayBuffer, so WebAssembly has no threads. */
const ISOLATION = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

export interface StaticServer {
  readonly origin: string;
  close(): Promise<void>;
}

/**
 * Serves a page at `/` and folders on loopback: `/name/file` is `file` in the folder `name`. As static hosts
 * do, it answers ranges of one part.
 */
export async function serveFolders(
  folders: Readonly<Record<string, string>>,
  page: string,
): Promise<StaticServer> {
  const server = http.createServer((request, response) => {
    const { pathname } = new URL(request.url!, 'http://host');
    if (pathname === '/') {
      return void response
        .writeHead(200, { ...ISOLATION, 'Content-Type': 'text/html; charset=utf-8' })
        .end(page);
    }
    const [name, ...rest] = decodeURIComponent(pathname.slice(1)).split('/');
    const folder = folders[name!];
    if (folder === undefined || rest.includes('..')) return void response.writeHead(404, ISOLATION).end();
    const file = path.join(folder, ...rest);
    const stat = statSync(file, { throwIfNoEntry: false });
    if (!stat?.isFile()) return void response.writeHead(404, ISOLATION).end();

    const { size } = stat;
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const start = Number(range?.[1] ?? 0);
    const end = Math.min(size, range?.[2] ? Number(range[2]) + 1 : size);
    response.writeHead(range ? 206 : 200, {
      ...ISOLATION,
      'Content-Type': TYPES[path.extname(file)] ?? 'application/octet-stream',
      'Accept-Ranges': 'bytes',
      'Content-Length': end - start,
      ...(range && { 'Content-Range': `bytes ${start}-${end - 1}/${size}` }),
    });
    if (request.method === 'HEAD' || start >= end) response.end();
    else createReadStream(file, { start, end: end - 1 }).pipe(response);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}
