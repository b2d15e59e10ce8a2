import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { closeModel, type Model } from '../../../src/core/model.ts';
import { convert } from '../../../src/pipeline/convert.ts';
import { planTargets } from '../../../src/pipeline/planning/target.ts';
import { openSource } from '../../../src/pipeline/sources/open.ts';
import { DiskFolder, readFolder } from '../disk-folder.ts';
import { blockModel } from '../small-model.ts';
import type { Files, Mutator, Subject } from '../target.ts';

/** Opens folders that plmpress writes, as `verify` does. */
export function artifactSubject(
  seeds: readonly Files[],
  mutatorOf: (name: string) => Mutator,
  use: (model: Model, files: Files) => Promise<void>,
): Subject {
  const disk = new DiskFolder();
  return {
    seeds,
    mutatorOf,
    async open(files) {
      disk.place(files);
      try {
        const model = await openSource(disk.path);
        try {
          await use(model, files);
        } finally {
          await closeModel(model);
        }
      } finally {
        disk.assertClean();
      }
    },
    tearDown: () => disk.remove(),
  };
}

/**
 * What a conversion of the small model writes, or what it writes into `folder`, but for the record of it and
 * pages.
 */
export async function converted(target: string, folder = ''): Promise<Files> {
  const output = mkdtempSync(path.join(os.tmpdir(), 'plmpress-fuzz-'));
  try {
    const model = blockModel();
    const targets = await planTargets(model, [target]);
    await convert({ model, source: 'memory', targets, output, threads: 1 });
    const files = readFolder(path.join(output, folder));
    return new Map([...files].filter(([name]) => !/^plmpress\.json$|page|offline|\.(html|css)$/.test(name)));
  } finally {
    rmSync(output, { recursive: true });
  }
}
