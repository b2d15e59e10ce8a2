import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { ggufPasses } from '../../../formats/gguf/architecture.ts';
import { planGguf } from '../../../formats/gguf/export.ts';
import { readGgufModel } from '../../../formats/gguf/import.ts';
import type { ExportPlan } from '../../../src/core/export-plan.ts';
import { closeModel } from '../../../src/core/model.ts';
import { parsePassRequest, runPasses } from '../../../src/passes/run.ts';
import { writePlan } from '../../support/builders/write-plan.ts';
import { readFolder } from '../disk-folder.ts';
import { MemoryFolder } from '../memory-folder.ts';
import { mutateGguf } from '../mutate/gguf.ts';
import { blockModel } from '../small-model.ts';
import type { Files, Target } from '../target.ts';
import { useModel } from '../use-model.ts';

/** GGUF files of both architectures, whole and in shards. */
export const GGUF: Target = {
  name: 'gguf',
  cases: 5000,
  async setUp() {
    const model = blockModel();
    const split = await runPasses(model, ggufPasses(model, 'deepseek2').map(parsePassRequest));
    const seeds = [
      await written(planGguf(model, { recipe: 'q8_0', arch: 'plm' })),
      await written(planGguf(split, { recipe: 'f16', arch: 'deepseek2' })),
      await written(planGguf(model, { recipe: 'f16', arch: 'plm', shardSize: 20_000 })),
    ];
    return { seeds, mutatorOf: () => mutateGguf, open };
  },
};

async function written(plan: ExportPlan): Promise<Files> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'plmpress-fuzz-'));
  try {
    await writePlan(plan, folder);
    return readFolder(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function open(files: Files): Promise<void> {
  const memory = new MemoryFolder(files);
  await memory.whole(async () => {
    const folder = memory.folder();
    const first = [...files.keys()].sort()[0] ?? 'm.gguf';
    const model = await readGgufModel(first, (name) => folder.open(name));
    try {
      await useModel(model);
    } finally {
      await closeModel(model);
    }
  });
}
