import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { closeModel, type Model } from '../../../src/core/model.ts';
import { plmTensors } from '../../../src/core/names.ts';
import { convert } from '../../../src/pipeline/convert.ts';
import { convertPart } from '../../../src/pipeline/parts/convert-part.ts';
import { merge } from '../../../src/pipeline/parts/merge.ts';
import { recordDigest } from '../../../src/pipeline/parts/record.ts';
import { planTargets } from '../../../src/pipeline/planning/target.ts';
import type { TargetOptions } from '../../../src/pipeline/planning/target-options.ts';
import { openSource } from '../../../src/pipeline/sources/open.ts';
import { readImatrix } from '../../../src/pipeline/sources/read-imatrix.ts';
import { imatrixGguf, imatrixTensors } from './imatrix-files.ts';
import { BLOCKS_OF_256, writeRandomCheckpoint } from './random-checkpoint.ts';
import { importances } from './samples.ts';
import { tinyPlm } from './tiny-checkpoint.ts';

export const PART_TARGETS = ['gguf:q4_k_m', 'onnx:q4', 'onnx:q8', 'webgpu:q4'];

/** A conversion of a random checkpoint with importances, in a folder of its own. */
export class SplitJob {
  readonly folder: string;
  readonly source: string;
  readonly imatrix: string;

  constructor(folder: string, seed = 1) {
    this.folder = folder;
    this.source = path.join(folder, 'plm');
    this.imatrix = path.join(folder, 'imatrix.gguf');
    if (!existsSync(this.source))
      writeRandomCheckpoint(this.source, { config: BLOCKS_OF_256, seed, shards: 2 });
    const matrices = plmTensors(tinyPlm(BLOCKS_OF_256)).filter(
      ({ role, shape }) => shape.length > 1 && role !== 'embed_tokens',
    );
    const sums = Object.fromEntries(
      matrices.map(({ ggufName, shape }, index) => [
        ggufName!,
        { sums: [...importances(shape.at(-1)!, index)], count: 1 },
      ]),
    );
    writeFileSync(this.imatrix, imatrixGguf(imatrixTensors(sums)));
  }

  /** What a single run writes. */
  async whole(options: TargetOptions = {}): Promise<string> {
    const output = path.join(this.folder, 'whole');
    await this.#withModel(async (model) => {
      const targets = await planTargets(model, PART_TARGETS, await this.#options(options));
      await convert({ model, source: this.source, targets, output, threads: 2 });
    });
    return output;
  }

  /** Folders of the parts, in order. */
  async parts(of: number, options: TargetOptions = {}, name = `parts-${of}`): Promise<string[]> {
    const folders: string[] = [];
    for (let number = 1; number <= of; number++) {
      const output = path.join(this.folder, name, `${number}`);
      mkdirSync(path.dirname(output), { recursive: true });
      await this.#withModel(async (model) => {
        const targets = await planTargets(model, PART_TARGETS, await this.#options(options));
        await convertPart({ model, source: this.source, targets, output, threads: 1, share: { number, of } });
      });
      folders.push(output);
    }
    return folders;
  }

  async merge(
    parts: readonly string[],
    { from = this.source, weighed = true }: { readonly from?: string; readonly weighed?: boolean } = {},
  ): Promise<string> {
    const output = path.join(this.folder, 'merged');
    await merge({ parts, output, from, threads: 1, ...(weighed && { imatrix: this.imatrix }) });
    return output;
  }

  async #options(options: TargetOptions): Promise<TargetOptions> {
    return { shardSize: 300_000, imatrix: await readImatrix(this.imatrix), ...options };
  }

  async #withModel(use: (model: Model) => Promise<void>): Promise<void> {
    const model = await openSource(this.source);
    try {
      await use(model);
    } finally {
      await closeModel(model);
    }
  }
}

/** Changes a record of a part and makes its digest fit again, as somebody would who means harm. */
export function editRecord(file: string, edit: (record: Record<string, unknown>) => void): void {
  const { sha256: _, ...record } = JSON.parse(readFileSync(file, 'utf8'));
  edit(record);
  writeFileSync(file, JSON.stringify({ ...record, sha256: recordDigest(record) }));
}
