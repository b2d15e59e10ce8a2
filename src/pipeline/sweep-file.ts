import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { PressError } from '../core/errors.ts';
import type { Model } from '../core/model.ts';
import { writeFileWhole } from '../io/staging/write-file.ts';
import { readTextFile } from '../io/text-file.ts';
import type { SweepPoint } from './sweep.ts';
import { VERSION } from './version.ts';

const SCHEMA = 'plmpress-sweep';
const MAX_BYTES = 64_000_000;

/**
 * Points of a sweep in a file, by what they depend on: an interrupted sweep goes on, a changed one begins
 * anew.
 */
export class SweepFile {
  readonly #file: string;
  readonly #key: string;
  readonly #points: SweepPoint[];

  /**
   * `inputs`: everything beside the model that points depend on, as text.
   * @throws PressError local-io where the file is of something else, without `force`; and as `readTextFile`
   * does.
   */
  static async open(
    file: string,
    model: Model,
    inputs: string,
    { force, signal }: { readonly force: boolean; readonly signal?: AbortSignal | undefined },
  ): Promise<SweepFile> {
    const hash = createHash('sha256').update(VERSION).update(inputs).update(JSON.stringify(model.changes));
    for (const source of model.files) hash.update(await source.sha256(signal));
    const key = hash.digest('hex');
    return new SweepFile(file, key, await readPoints(file, key, force));
  }

  private constructor(file: string, key: string, points: readonly SweepPoint[]) {
    this.#file = file;
    this.#key = key;
    this.#points = [...points];
  }

  find(targetBytes: number): SweepPoint | undefined {
    return this.#points.find((point) => point.targetBytes === targetBytes);
  }

  /** Adds a point and writes all. */
  async add(point: SweepPoint): Promise<void> {
    if (this.find(point.targetBytes) !== undefined) return;
    this.#points.push(point);
    const content = Buffer.from(
      `${JSON.stringify({ schema: SCHEMA, key: this.#key, points: this.#points }, null, 2)}\n`,
    );
    await writeFileWhole(this.#file, content, { force: true, inputs: [] });
  }
}

/** Those of a sweep of the same inputs; none where the file is missing, or may be replaced. */
async function readPoints(file: string, key: string, force: boolean): Promise<SweepPoint[]> {
  if (!existsSync(file)) return [];
  const name = path.basename(file);
  const { text } = await readTextFile(file, name, MAX_BYTES);
  try {
    const known = JSON.parse(text) as { schema?: unknown; key?: unknown; points?: unknown };
    if (known.schema === SCHEMA && known.key === key && Array.isArray(known.points)) return known.points;
  } catch {
    // Not what this wrote.
  }
  if (force) return [];
  throw new PressError('local-io', {
    file: name,
    what: 'belongs to another sweep; --force replaces it',
  });
}
