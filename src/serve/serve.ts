import { statSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { invalidInput, localIo } from '../core/errors.ts';
import { bundlesIn, isBundle } from './bundle-list.ts';
import { guardHosts } from './host-guard.ts';
import { requestHandler } from './request-handler.ts';
import { assertListenHost, ServedHosts } from './served-hosts.ts';

export interface ServeOptions {
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
}

export interface BundleServer {
  /** Of the bundle, or of the list of bundles. */
  readonly url: string;
  /** Ends all connections. */
  close(): Promise<void>;
}

/**
 * Serves a bundle to browsers: that of a folder which holds one, or a list of several. Throws `local-io` for
 * a folder that cannot be read and a port that cannot be had, `invalid-input` for a folder without bundles,
 * `usage` for an empty host.
 */
export async function serveBundles(folder: string, { host, port }: ServeOptions): Promise<BundleServer> {
  assertListenHost(host);
  checkFolder(folder);
  // Known once it listens; no request comes before.
  let hosts: ServedHosts;
  const server = http.createServer(guardHosts(() => hosts, requestHandler(folder)));
  await new Promise<void>((listening, failed) => {
    server.once('error', (error) => failed(localIo(`${host}:${port}`, error)));
    server.listen(port, host, listening);
  });
  const { address, port: bound } = server.address() as AddressInfo;
  hosts = new ServedHosts(host, address);
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}/`,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

function checkFolder(folder: string): void {
  try {
    if (!statSync(folder).isDirectory()) throw invalidInput({ file: folder, what: 'is not a folder' });
    if (isBundle(folder) || bundlesIn(folder).length > 0) return;
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === undefined ? error : localIo(folder, error);
  }
  throw invalidInput({
    file: folder,
    what: 'contains no WebGPU bundle',
    expected: 'manifest.json in the folder or in one of its folders',
  });
}
