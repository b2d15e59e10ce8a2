import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { SumsKeeper } from '../../calibration/collect.ts';
import type { Model } from '../core/model.ts';
import { ResumeFile } from '../io/staging/resume-file.ts';
import { VERSION } from './version.ts';

/** Work that an interruption may cost. */
const SAVE_SECONDS = 10;
/** Part of the time that saving may take: second moments are large. */
const MAX_SAVING_SHARE = 0.05;

/** The inputs of the sums beside the model. */
export interface CalibrationWork {
  readonly model: Model;
  /** Output file. */
  readonly output: string;
  /** Everything that decides which tokens are read and how, as text. */
  readonly inputs: string;
}

/** Keeps the sums of each reading of the texts in a hidden file beside the output, until all are done. */
export class CalibrationKeeper {
  readonly #work: CalibrationWork;
  readonly #seconds: number;
  #fingerprint: Promise<string> | undefined;

  /** `seconds`: least time between two saves. */
  constructor(work: CalibrationWork, seconds = SAVE_SECONDS) {
    this.#work = work;
    this.#seconds = seconds;
  }

  /** The keeper of reading number `index`. */
  reading(index: number): SumsKeeper {
    const file = this.#file(index);
    let saved = performance.now();
    let interval = 1000 * this.#seconds;
    return {
      load: async (buffers) => file.load(await this.#key(index), buffers),
      chunkDone: async (buffers, chunks) => {
        const now = performance.now();
        if (now - saved < interval) return;
        await file.save(await this.#key(index), chunks, buffers);
        saved = performance.now();
        interval = Math.max(interval, (saved - now) / MAX_SAVING_SHARE);
      },
    };
  }

  /** Whether an interrupted run has left something. */
  async hasKept(): Promise<boolean> {
    return (await this.#kept()).length > 0;
  }

  /**
   * Removes what interrupted runs for this output have left, also with other options. Called once the output
   * exists.
   */
  async remove(): Promise<void> {
    for (const index of await this.#kept()) await this.#file(index).remove();
  }

  /** Numbers of the files. */
  async #kept(): Promise<number[]> {
    const { dir, base } = path.parse(this.#work.output);
    const names = await readdir(dir || '.').catch(() => []);
    const start = fileName(base, '');
    return names.flatMap((name) => {
      const index = name.startsWith(start) ? name.slice(start.length) : '';
      return /^\d+$/.test(index) ? [Number(index)] : [];
    });
  }

  #file(index: number): ResumeFile {
    const { dir, base } = path.parse(this.#work.output);
    return new ResumeFile(path.join(dir, fileName(base, index)));
  }

  /** Files have been read by now, as the weights are loaded: their hashes cost nothing. */
  async #key(index: number): Promise<string> {
    this.#fingerprint ??= fingerprint(this.#work);
    return `${await this.#fingerprint} ${index}`;
  }
}

function fileName(output: string, index: number | ''): string {
  return `.${output}.resume-${index}`;
}

async function fingerprint({ model, inputs }: CalibrationWork): Promise<string> {
  const hash = createHash('sha256').update(VERSION).update(inputs).update(JSON.stringify(model.changes));
  for (const file of model.files) hash.update(await file.sha256());
  return hash.digest('hex');
}
