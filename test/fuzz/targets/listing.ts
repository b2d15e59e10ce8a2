import { isRepositoryPath } from '../../../src/hub/hub-source.ts';
import type { HubRun } from '../../../src/hub/run.ts';
import { listTree, resolveRevision } from '../../../src/hub/tree.ts';
import { treeEntry } from '../../support/fakes/hub-server.ts';
import { mutateJson } from '../mutate/json.ts';
import type { Files, Target } from '../target.ts';

const [REVISION, TREE, HEADERS] = ['revision.json', 'tree.json', 'headers.json'];
const ENDPOINT = 'https://hub.example';
const COMMIT = 'ab'.repeat(20);
const REPOSITORY = 'org/model';

/** Answers of the Hub: the commit of a revision, and the listing of a commit. */
export const LISTING: Target = {
  name: 'listing',
  cases: 12_000,
  failures: ['network'],
  async setUp() {
    const entries = ['config.json', 'model.safetensors', 'onnx/model.onnx'].map((name) =>
      treeEntry(name, Buffer.from(name)),
    );
    const headers = { type: 'application/json', link: '', status: 200 };
    const json = (value: unknown) => Buffer.from(JSON.stringify(value));
    const seed = new Map([
      [REVISION, json({ _id: '1', id: REPOSITORY, sha: COMMIT, private: false, likes: 0, tags: ['x'] })],
      [TREE, json([{ type: 'directory', path: 'onnx', oid: COMMIT, size: 0 }, ...entries])],
      [HEADERS, json(headers)],
    ]);
    const real = globalThis.fetch;
    return {
      seeds: [seed],
      mutatorOf: () => mutateJson,
      async open(files) {
        globalThis.fetch = async (url) => answer(files, String(url));
        await list();
      },
      tearDown: () => {
        globalThis.fetch = real;
      },
    };
  },
};

/** What a server says: it decides status and type, too. */
function answer(files: Files, url: string): Response {
  if (!url.startsWith(`${ENDPOINT}/`)) throw new Error(`asks ${url}`);
  const body = files.get(url.includes('/tree/') ? TREE : REVISION);
  let said: { type?: unknown; link?: unknown; status?: unknown } = {};
  try {
    said = JSON.parse(Buffer.from(files.get(HEADERS) ?? '{}').toString()) ?? {};
  } catch {
    // A server that says nothing.
  }
  const headers = new Headers();
  for (const [name, value] of [
    ['Content-Type', said.type],
    ['Link', said.link],
  ] as const) {
    if (typeof value === 'string' && /^[\x20-\x7e]*$/.test(value)) headers.set(name, value);
  }
  const status = Number.isInteger(said.status) && Number(said.status) >= 200 && Number(said.status) <= 599;
  const code = status ? Number(said.status) : 200;
  return new Response([204, 205, 304].includes(code) ? null : Uint8Array.from(body ?? []), {
    status: code,
    headers,
  });
}

async function list(): Promise<void> {
  const run: HubRun = {
    settings: {
      endpoint: ENDPOINT,
      token: 'hf_secretSecret',
      cache: '/nonexistent',
      assets: '/nonexistent',
      symlinks: true,
      offline: false,
      timeout: 1000,
      pauses: [],
    },
  };
  const revision = await resolveRevision(run, REPOSITORY, 'main');
  if (!/^[0-9a-f]{40}$/.test(revision)) throw new Error(`the commit ${revision}`);
  const { files } = await listTree(run, { repository: REPOSITORY, revision });
  for (const { path, bytes, oid } of files) {
    if (!isRepositoryPath(path)) throw new Error(`lists ${path}`);
    if (!Number.isSafeInteger(bytes) || bytes < 0) throw new Error(`${path} has ${bytes} bytes`);
    if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(oid ?? '')) throw new Error(`${path} has the id ${oid}`);
  }
}
