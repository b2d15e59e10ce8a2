import { stat } from 'node:fs/promises';
import path from 'node:path';
import { PressError } from '../core/errors.ts';
import { closeModel } from '../core/model.ts';
import { firstNames } from '../core/text/name-list.ts';
import { openTree } from '../hub/cache/snapshot.ts';
import { HubRefusal } from '../hub/http/fault.ts';
import { remoteFolder } from '../hub/remote-folder.ts';
import type { HubRun } from '../hub/run.ts';
import { assertWritable, type Upload, type UploadFile, upload } from '../hub/upload.ts';
import { SourceFolder } from '../io/source-folder.ts';
import { assertOwnFiles, openedPath } from './artifacts/artifact-file.ts';
import { checkRecorded } from './artifacts/artifact-places.ts';
import { CARD_MARK, modelCard } from './model-card.ts';
import { MANIFEST_NAME, type Manifest } from './record/manifest.ts';
import { readManifest } from './record/manifest-reader.ts';
import { openSource } from './sources/open.ts';
import { VERSION } from './version.ts';

export interface PushOptions extends HubRun {
  /** Folder that `convert` has written. */
  readonly folder: string;
  /** `org/name`. */
  readonly repository: string;
  /** Default: main. */
  readonly branch?: string;
  /** First line of the message of the commit. */
  readonly message?: string;
  /** Ask for a merge instead of changing the branch. */
  readonly pullRequest?: boolean;
  /** Make the repository first, if it is not there. */
  readonly create?: 'public' | 'private';
  /** `org/name` of the model that the artifacts are of, where they do not know it. */
  readonly baseModel?: string;
  /** Stop before anything is sent. */
  readonly dryRun?: boolean;
}

/** What a push sends, or would send. */
export interface Push {
  readonly repository: string;
  readonly branch: string;
  readonly message: string;
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
  /** Text of the model card; undefined where one that people wrote stays. */
  readonly card: string | undefined;
  /** Whether that text was written here, not by people. */
  readonly wroteCard: boolean;
  /** Undefined after a dry run. */
  readonly upload: Upload | undefined;
}

const CARD_FILE = 'README.md';
const MAX_CARD_BYTES = 1_000_000;

/**
 * Puts artifacts and their record into a repository on the Hub, in one commit, with a model card. A README.md
 * in the folder or in the repository that people have written stays as it is.
 * @throws PressError `local-io` where the folder holds no artifacts, `invalid-input` where the record names a
 * file that no artifact has or a link that leads out of the folder, `verification` where they are not as they
 * were written, `network` as `upload` does.
 */
export async function push(options: PushOptions): Promise<Push> {
  const { folder, repository, branch = 'main', pullRequest = false, dryRun = false, create } = options;
  const manifest = await readManifest(folder);
  if (manifest === undefined) {
    const what = `contains no ${MANIFEST_NAME}: push uploads a folder that convert has written`;
    throw new PressError('local-io', { file: folder, what });
  }
  if (!dryRun) assertWritable(options.settings, repository);
  const files = await checkedFiles(options, manifest);
  const own = await cardOf(folder);
  const card = own ?? (await cardFor(options, manifest));
  const message = options.message ?? defaultMessage(manifest);
  if (card !== undefined) {
    const from = new TextEncoder().encode(card);
    files.push({ path: CARD_FILE, bytes: from.length, from });
  }
  const done = dryRun
    ? undefined
    : await upload({
        ...options,
        repository,
        branch,
        title: message,
        files,
        pullRequest,
        ...(create && { create }),
      });
  const listed = files.map(({ path: name, bytes }) => ({ path: name, bytes }));
  const wroteCard = own === undefined && card !== undefined;
  return { repository, branch, message, files: listed, card, wroteCard, upload: done };
}

function defaultMessage({ artifacts }: Manifest): string {
  const targets = [...new Set(artifacts.map(({ target }) => target))];
  return `Add ${firstNames(targets)}, made by plmpress ${VERSION}`;
}

/** The files of the record, each with the hash that it had when it was written; the record last. */
async function checkedFiles(
  { folder, progress, signal }: PushOptions,
  manifest: Manifest,
): Promise<UploadFile[]> {
  for (const artifact of manifest.artifacts) assertOwnFiles(artifact);
  await checkRecorded({ folder, files: manifest.files }, { by: 'hashes', progress, signal });
  const files = manifest.files.map(({ path: name, bytes }) => {
    return { path: name, bytes, from: path.resolve(folder, ...name.split('/')) };
  });
  const record = path.resolve(folder, MANIFEST_NAME);
  const { size } = await stat(record);
  return [...files, { path: MANIFEST_NAME, bytes: size, from: record }];
}

/** The card in the folder, if there is one. */
async function cardOf(folder: string): Promise<string | undefined> {
  const files = await SourceFolder.open(folder);
  return files.has(CARD_FILE) ? (await files.readText(CARD_FILE, MAX_CARD_BYTES)).text : undefined;
}

/** The card to write; undefined where the repository has one that people have written. */
async function cardFor(options: PushOptions, manifest: Manifest): Promise<string | undefined> {
  const { folder, repository, baseModel } = options;
  const there = await cardThere(options);
  if (there !== undefined && !there.includes(CARD_MARK)) return undefined;
  const [first] = manifest.artifacts;
  const model = await openSource(path.join(folder, ...openedPath(first!).split('/')));
  try {
    return modelCard({ manifest, source: model.card, repository, ...(baseModel && { baseModel }) });
  } finally {
    await closeModel(model);
  }
}

/** The card of the repository; undefined where there is none, or no repository yet. */
async function cardThere(options: PushOptions): Promise<string | undefined> {
  const { repository, branch = 'main', create, settings } = options;
  if (settings.offline) return undefined;
  try {
    const files = remoteFolder(options, await openTree(options, { repository, revision: branch }));
    return files.has(CARD_FILE) ? (await files.readText(CARD_FILE, MAX_CARD_BYTES)).text : undefined;
  } catch (error) {
    if (create !== undefined && error instanceof HubRefusal && error.status === 404) return undefined;
    throw error;
  }
}
