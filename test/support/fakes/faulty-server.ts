import { readFileSync } from 'node:fs';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { requestHandler } from '../../../src/serve/request-handler.ts';

/** What goes wrong with one answer. */
export type Fault =
  /** The connection ends after some bytes of the body. */
  | { readonly drop: number }
  /** The byte there is another one. */
  | { readonly flip: number }
  /** The whole file, whatever range is asked for. */
  | { readonly ignoreRange: true }
  | { readonly status: number }
  /** Milliseconds before the body goes on behind its first half. */
  | { readonly pause: number };

export interface LoggedRequest {
  readonly method: string;
  readonly file: string;
  readonly range: string | undefined;
  readonly referer: string | undefined;
}

/** Serves a folder as `plmpress serve` does, and lets answers go wrong. */
export class FaultyServer {
  readonly log: LoggedRequest[] = [];
  /** By name of the file: the faults of the next answers, each used once. */
  readonly faults = new Map<string, Fault[]>();
  /** By name of the file: the fault of all other answers. */
  readonly always = new Map<string, Fault>();
  readonly #folder: string;
  readonly #server: http.Server;
  #url = '';

  private constructor(folder: string) {
    this.#folder = folder;
    const answer = requestHandler(folder);
    this.#server = http.createServer((request, response) => {
      const file = request.url!.slice(1).replace(/\?.*/, '');
      const { method, headers } = request;
      this.log.push({ method: method!, file, range: headers.range, referer: headers.referer });
      const fault = this.faults.get(file)?.shift() ?? this.always.get(file);
      if (fault === undefined) return answer(request, response);
      if ('status' in fault) return void response.writeHead(fault.status).end();
      if ('ignoreRange' in fault) {
        delete request.headers.range;
        return answer(request, response);
      }
      void this.#fail(fault, file, request, response);
    });
  }

  static async start(t: TestContext, folder: string): Promise<FaultyServer> {
    const server = new FaultyServer(folder);
    await new Promise<void>((listening) => server.#server.listen(0, '127.0.0.1', listening));
    server.#url = `http://127.0.0.1:${(server.#server.address() as AddressInfo).port}/`;
    t.after(() => server.close());
    return server;
  }

  /** Of the folder. */
  get url(): string {
    return this.#url;
  }

  /** Requests for shards since `clear`. */
  get shardRequests(): LoggedRequest[] {
    return this.log.filter(({ file }) => file.endsWith('.bin'));
  }

  clear(): void {
    this.log.length = 0;
  }

  close(): Promise<void> {
    return new Promise((closed) => {
      this.#server.close(() => closed());
      this.#server.closeAllConnections();
    });
  }

  async #fail(
    fault: Exclude<Fault, { status: number } | { ignoreRange: true }>,
    file: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const whole = readFileSync(path.join(this.#folder, file));
    if ('flip' in fault) whole[fault.flip]! ^= 1;
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const body = whole.subarray(start);
    response.writeHead(start > 0 ? 206 : 200, {
      'Content-Length': body.length,
      ...(start > 0 && { 'Content-Range': `bytes ${start}-${whole.length - 1}/${whole.length}` }),
    });
    if ('flip' in fault) return void response.end(body);
    const first = 'drop' in fault ? fault.drop : body.length >> 1;
    await new Promise<void>((sent) => response.write(body.subarray(0, first), () => sent()));
    if ('pause' in fault) {
      await new Promise((resolve) => setTimeout(resolve, fault.pause).unref());
      return void response.end(body.subarray(first));
    }
    // Lets what was written reach the other side.
    setTimeout(() => response.destroy(), 200);
  }
}
