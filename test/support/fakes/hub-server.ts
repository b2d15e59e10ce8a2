import { createHash } from 'node:crypto';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

/** A request as one of the two servers has seen it. */
export interface SeenRequest {
  /** The Hub itself, or the store that it leads to. */
  readonly server: 'hub' | 'store';
  readonly method: string;
  readonly url: string;
  readonly headers: http.IncomingHttpHeaders;
}

/** Answers a request in another way than a sound server; true where it did. */
export type Misbehaviour = (
  request: SeenRequest,
  response: ServerResponse,
  body: Buffer,
) => boolean | Promise<boolean>;

type Files = ReadonlyMap<string, Buffer>;

interface Repository {
  readonly commits: Map<string, Files>;
  readonly refs: Map<string, string>;
  readonly isPrivate: boolean;
}

export interface HubServerOptions {
  /** How large files are uploaded: to the store at once, in parts of this many bytes, or by xet. */
  readonly transfer?: 'basic' | 'multipart' | 'xet';
  /** Files on a page of a listing. */
  readonly pageSize?: number;
  /** The path on the server that the Hub begins at. */
  readonly base?: string;
  /** The token that it takes. */
  readonly token?: string;
}

export const TOKEN = 'hf_testTokenThatMustNotLeak';
const PART_BYTES = 100_000;
/** What Git LFS keeps on the Hub. */
const LARGE = /\.(safetensors|gguf|bin|onnx|onnx_data(_\d+)?)$/;

/**
 * A Hub on loopback: listings, content behind redirects to a store on another origin, and commits, as the
 * real one speaks; tests let it misbehave.
 */
export class HubServer {
  readonly seen: SeenRequest[] = [];
  /** Asked first, in order, each until it is removed. */
  readonly misbehaviours: Misbehaviour[] = [];
  readonly #repositories = new Map<string, Repository>();
  /** What the store holds, by SHA-256. */
  readonly #objects = new Map<string, Buffer>();
  readonly #parts = new Map<string, Map<number, Buffer>>();
  readonly #options: HubServerOptions;
  #hub = '';
  #store = '';

  private constructor(options: HubServerOptions) {
    this.#options = options;
  }

  static async start(t: TestContext, options: HubServerOptions = {}): Promise<HubServer> {
    const server = new HubServer(options);
    server.#hub = await listen(t, (request, response) => server.#answer('hub', request, response));
    server.#store = await listen(t, (request, response) => server.#answer('store', request, response));
    return server;
  }

  get endpoint(): string {
    return `${this.#hub}${this.#base}`;
  }

  get store(): string {
    return this.#store;
  }

  get #base(): string {
    return this.#options.base ?? '';
  }

  #knows({ headers }: SeenRequest): boolean {
    return headers.authorization === `Bearer ${this.#options.token ?? TOKEN}`;
  }

  /** Environment of a process that works with this Hub. */
  env(cache: string): NodeJS.ProcessEnv {
    return {
      HF_ENDPOINT: this.endpoint,
      HF_HOME: cache,
      HF_TOKEN: TOKEN,
      HF_HUB_DOWNLOAD_TIMEOUT: '1',
      HOME: cache,
    };
  }

  /** Adds a commit to the main branch, with these files and no others. Returns its hash. */
  commit(repository: string, files: Readonly<Record<string, Buffer | string>>, isPrivate = false): string {
    const content = new Map(Object.entries(files).map(([path, text]) => [path, Buffer.from(text)]));
    this.#repositories.set(repository, this.#repositories.get(repository) ?? emptyRepository(isPrivate));
    return this.#addCommit(repository, 'main', content);
  }

  /** Files at a branch or commit. */
  files(repository: string, revision = 'main'): Files {
    const found = this.#repositories.get(repository);
    const commit = found?.refs.get(revision) ?? revision;
    return found?.commits.get(commit) ?? new Map();
  }

  head(repository: string, branch = 'main'): string | undefined {
    return this.#repositories.get(repository)?.refs.get(branch);
  }

  has(repository: string): boolean {
    return this.#repositories.has(repository);
  }

  /** Requests for the content of files. */
  contentRequests(path?: string): SeenRequest[] {
    return this.seen.filter(
      ({ url }) => url.includes('/resolve/') && (path === undefined || url.endsWith(path)),
    );
  }

  #addCommit(repository: string, branch: string, files: Files): string {
    const { commits, refs } = this.#repositories.get(repository)!;
    const text = [...files].map(([path, bytes]) => `${path} ${sha256(bytes)}`).join('\n');
    const commit = createHash('sha1').update(`${commits.size}\n${text}`).digest('hex');
    for (const [path, bytes] of files) if (LARGE.test(path)) this.#objects.set(sha256(bytes), bytes);
    commits.set(commit, files);
    refs.set(branch, commit);
    return commit;
  }

  async #answer(
    server: SeenRequest['server'],
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const body = Buffer.concat(pieces);
    const seen: SeenRequest = {
      server,
      method: request.method!,
      url: request.url!,
      headers: request.headers,
    };
    this.seen.push(seen);
    for (const misbehave of [...this.misbehaviours]) if (await misbehave(seen, response, body)) return;
    if (server === 'hub') this.#hubAnswer(seen, response, body);
    else this.#storeAnswer(seen, response, body);
  }

  #hubAnswer(seen: SeenRequest, response: ServerResponse, body: Buffer): unknown {
    const whole = new URL(seen.url, this.#hub).pathname;
    if (!whole.startsWith(this.#base)) return sendJson(response, 404, { error: 'not found' });
    const pathname = whole.slice(this.#base.length);
    const api = /^\/api\/models\/([^/]+\/[^/]+)\/([a-z-]+)\/([^/]+)$/.exec(pathname);
    const resolve = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(pathname);
    const batch = /^\/([^/]+\/[^/]+)\.git\/info\/lfs\/objects\/batch$/.exec(pathname);
    if (pathname === '/api/repos/create') return this.#create(seen, response, body);
    if (pathname === '/api/whoami-v2') return this.#whoAmI(seen, response);
    const name = api?.[1] ?? resolve?.[1] ?? batch?.[1];
    const repository = this.#repositories.get(name ?? '');
    if (name === undefined || repository === undefined)
      return sendJson(response, 404, { error: 'not found' });
    if (!this.#knows(seen) && (repository.isPrivate || seen.method === 'POST')) {
      return sendJson(response, 401, { error: 'Invalid username or password.' });
    }
    if (batch) return this.#batch(name, response, body);
    if (resolve) return this.#resolve(repository, resolve, response);
    const revision = decodeURIComponent(api![3]!);
    const commit = repository.refs.get(revision) ?? revision;
    const files = repository.commits.get(commit);
    if (files === undefined) return sendJson(response, 404, { error: 'Invalid rev id' });
    switch (api![2]) {
      case 'revision':
        return sendJson(response, 200, { _id: '1', id: name, sha: commit, private: false, likes: 0 });
      case 'tree':
        return this.#tree(seen, files, response);
      case 'preupload':
        return preupload(response, body);
      case 'commit':
        return this.#commit(name, revision, seen, response, body);
      case 'xet-write-token':
        return sendJson(response, 200, { accessToken: 'cas', casUrl: this.#store, exp: 4e9 });
      default:
        return sendJson(response, 404, { error: 'not found' });
    }
  }

  #create(seen: SeenRequest, response: ServerResponse, body: Buffer): unknown {
    if (!this.#knows(seen)) return sendJson(response, 401, { error: 'no' });
    const { name, organization, visibility } = JSON.parse(body.toString());
    const repository = `${organization}/${name}`;
    if (this.#repositories.has(repository)) return sendJson(response, 409, { error: 'exists' });
    this.commit(repository, { '.gitattributes': '' }, visibility === 'private');
    sendJson(response, 200, { url: `${this.endpoint}/${repository}`, id: repository });
  }

  #whoAmI(seen: SeenRequest, response: ServerResponse): void {
    if (this.#knows(seen)) sendJson(response, 200, { type: 'user', name: 'me' });
    else sendJson(response, 401, { error: 'Invalid username or password.' });
  }

  #tree(seen: SeenRequest, files: Files, response: ServerResponse): void {
    const { pageSize = 1000 } = this.#options;
    const cursor = Number(new URL(seen.url, this.#hub).searchParams.get('cursor') ?? 0);
    const all = [...files].map(([path, bytes]) => treeEntry(path, bytes));
    const next = cursor + pageSize;
    if (next < all.length) {
      const address = new URL(seen.url, this.#hub);
      address.searchParams.set('cursor', String(next));
      response.setHeader('Link', `<${address}>; rel="next"`);
    }
    sendJson(response, 200, all.slice(cursor, next));
  }

  #resolve(repository: Repository, [, , revision, path]: RegExpExecArray, response: ServerResponse): unknown {
    const commit = repository.refs.get(revision!) ?? revision!;
    const bytes = repository.commits.get(commit)?.get(decodeURIComponent(path!));
    if (bytes === undefined) {
      response.setHeader('X-Error-Code', 'EntryNotFound');
      return sendJson(response, 404, { error: 'Entry not found' });
    }
    response.setHeader('X-Repo-Commit', commit);
    if (!LARGE.test(path!)) {
      response.setHeader('ETag', `"${gitHash(bytes)}"`);
      response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': bytes.length });
      return void response.end(bytes);
    }
    response.setHeader('X-Linked-ETag', `"${sha256(bytes)}"`);
    response.setHeader('X-Linked-Size', bytes.length);
    response.writeHead(302, { Location: `${this.#store}/${sha256(bytes)}?Signature=secretSignature` }).end();
  }

  #batch(name: string, response: ServerResponse, body: Buffer): void {
    const { transfers, objects } = JSON.parse(body.toString()) as {
      transfers: string[];
      objects: { oid: string; size: number }[];
    };
    const { transfer = 'basic' } = this.#options;
    const actions = ({ oid, size }: { oid: string; size: number }) => {
      if (this.#objects.has(oid)) return {};
      if (transfer === 'xet') {
        const href = `${this.endpoint}/api/models/${name}/xet-write-token/main`;
        return { actions: { upload: { href, header: {} } } };
      }
      const href = `${this.#store}/upload/${oid}`;
      if (transfer === 'basic' || size <= PART_BYTES) return { actions: { upload: { href } } };
      const numbers = Array.from({ length: Math.ceil(size / PART_BYTES) }, (_, index) => index + 1);
      const parts = numbers.map((number) => [String(number).padStart(5, '0'), `${href}/${number}`]);
      const header = { chunk_size: String(PART_BYTES), ...Object.fromEntries(parts) };
      return { actions: { upload: { href: `${href}/complete`, header } } };
    };
    sendJson(response, 200, {
      transfer: transfers.includes(transfer) ? transfer : 'basic',
      objects: objects.map((object) => ({ ...object, ...actions(object) })),
    });
  }

  #commit(name: string, branch: string, seen: SeenRequest, response: ServerResponse, body: Buffer): unknown {
    const repository = this.#repositories.get(name)!;
    const lines = body
      .toString()
      .split('\n')
      .map((line) => JSON.parse(line));
    const header = lines.find(({ key }) => key === 'header').value;
    const parent = repository.refs.get(branch)!;
    if (header.parentCommit !== undefined && header.parentCommit !== parent) {
      return sendJson(response, 412, { error: 'A commit has happened since' });
    }
    const files = new Map(repository.commits.get(parent));
    for (const { key, value } of lines) {
      if (key === 'file') files.set(value.path, Buffer.from(value.content, 'base64'));
      if (key !== 'lfsFile') continue;
      const object = this.#objects.get(value.oid);
      if (object === undefined) return sendJson(response, 400, { error: 'LFS pointer to nothing' });
      files.set(value.path, object);
    }
    const isPullRequest = seen.url.includes('create_pr=1');
    const commit = this.#addCommit(name, isPullRequest ? 'refs/pr/1' : branch, files);
    sendJson(response, 200, {
      commitOid: commit,
      commitUrl: `${this.endpoint}/${name}/commit/${commit}`,
      hookOutput: '',
      ...(isPullRequest && { pullRequestUrl: `${this.endpoint}/${name}/discussions/1` }),
    });
  }

  #storeAnswer(seen: SeenRequest, response: ServerResponse, body: Buffer): unknown {
    const { pathname } = new URL(seen.url, this.#store);
    const [, upload, part] = /^\/upload\/([0-9a-f]{64})(?:\/(\w+))?$/.exec(pathname) ?? [];
    if (upload !== undefined) return this.#receive(upload, part, response, body);
    if (pathname.startsWith('/v1/')) return this.#xet(seen, response, body);
    const bytes = this.#objects.get(pathname.slice(1));
    if (bytes === undefined) return void response.writeHead(404).end();
    sendBytes(seen, response, bytes);
  }

  #receive(oid: string, part: string | undefined, response: ServerResponse, body: Buffer): unknown {
    const parts = this.#parts.get(oid) ?? new Map<number, Buffer>();
    this.#parts.set(oid, parts);
    if (part !== undefined && part !== 'complete') {
      parts.set(Number(part), body);
      return void response.writeHead(200, { ETag: `"${part}"` }).end();
    }
    const whole =
      part === undefined
        ? body
        : Buffer.concat([...parts].sort(([a], [b]) => a - b).map(([, bytes]) => bytes));
    if (sha256(whole) !== oid) return sendJson(response, 400, { error: 'wrong hash' });
    this.#objects.set(oid, whole);
    sendJson(response, 200, {});
  }

  /** Takes xorbs and shards as they come; what xet's own format holds is not looked into. */
  #xet(seen: SeenRequest, response: ServerResponse, body: Buffer): unknown {
    if (seen.headers.authorization !== 'Bearer cas') return sendJson(response, 401, { error: 'no' });
    if (seen.method === 'GET') return sendJson(response, 404, { error: 'chunk not known' });
    this.onXet?.(seen.url, body);
    sendJson(response, 200, { was_inserted: true });
  }

  /** Sees what is uploaded by xet. */
  onXet: ((url: string, body: Buffer) => void) | undefined;

  /** Lets the store hold bytes, as if xet had put them together. */
  hold(bytes: Buffer): void {
    this.#objects.set(sha256(bytes), bytes);
  }
}

function emptyRepository(isPrivate: boolean): Repository {
  return { commits: new Map(), refs: new Map(), isPrivate };
}

export function treeEntry(path: string, bytes: Buffer) {
  const isLarge = LARGE.test(path);
  return {
    type: 'file',
    path,
    size: bytes.length,
    oid: gitHash(bytes),
    ...(isLarge && { lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 134 } }),
  };
}

function preupload(response: ServerResponse, body: Buffer): void {
  const { files } = JSON.parse(body.toString()) as { files: { path: string }[] };
  const modes = files.map(({ path }) => ({ path, uploadMode: LARGE.test(path) ? 'lfs' : 'regular' }));
  sendJson(response, 200, { files: modes });
}

/** Bytes, or the range of them that is asked for, with the ETag of `named`. */
export function sendBytes(
  seen: SeenRequest,
  response: ServerResponse,
  bytes: Buffer,
  named = bytes,
): unknown {
  const range = /^bytes=(\d+)-(\d*)$/.exec(seen.headers.range ?? '');
  const start = Number(range?.[1] ?? 0);
  const end = Math.min(bytes.length, range?.[2] ? Number(range[2]) + 1 : bytes.length);
  if (start >= bytes.length && start > 0) return void response.writeHead(416).end();
  response.writeHead(range ? 206 : 200, {
    'Content-Type': 'application/octet-stream',
    'Content-Length': end - start,
    ETag: `"${sha256(named).slice(0, 32)}"`,
    ...(range && { 'Content-Range': `bytes ${start}-${end - 1}/${bytes.length}` }),
  });
  response.end(bytes.subarray(start, end));
}

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const text = JSON.stringify(value);
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(text);
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function gitHash(bytes: Uint8Array): string {
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
}

async function listen(
  t: TestContext,
  answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): Promise<string> {
  const server = http.createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  t.after(
    () =>
      new Promise<void>((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  );
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
