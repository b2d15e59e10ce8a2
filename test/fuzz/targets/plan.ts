import path from 'node:path';
import { readSchemePlan } from '../../../src/pipeline/allocation/scheme-plan.ts';
import { readDevices } from '../../../src/pipeline/plan/devices.ts';
import { DiskFolder } from '../disk-folder.ts';
import { mutateJson } from '../mutate/json.ts';
import { blockModel } from '../small-model.ts';
import type { Files, Target } from '../target.ts';

const [PLAN, DEVICES] = ['scheme-plan.json', 'devices.json'];
const SEEDS: readonly Files[] = [
  [
    PLAN,
    {
      schema: 'plmpress-scheme-plan',
      version: 1,
      bytes: 1000,
      predictedKld: 0.1,
      measuredKld: 0.2,
      tensors: { 'token_embd.weight': 'Q6_K', 'blk.0.ffn_down.weight': 'Q4_K', 'blk.1.ffn_up.weight': 'F16' },
      costs: { 'token_embd.weight': 0.01 },
    },
  ] as const,
  [
    DEVICES,
    {
      devices: [
        { name: 'board', bytesPerSecond: 17_100_000_000, memoryBytes: 8_000_000_000, usableShare: 0.5 },
        { name: 'phone-2', bytesPerSecond: 1, memoryBytes: 2, usableShare: 1 },
      ],
    },
  ] as const,
].map(([name, json]) => new Map([[name as string, Buffer.from(JSON.stringify(json))]]));

/** Plans of schemes and profiles of devices, which people write. */
export const PLAN_TARGET: Target = {
  name: 'plan',
  cases: 10_000,
  // A file that is not there is the machine's fault: people name it.
  failures: ['local-io'],
  async setUp() {
    const disk = new DiskFolder();
    const model = blockModel();
    return {
      seeds: SEEDS,
      mutatorOf: () => mutateJson,
      async open(files) {
        disk.place(files);
        const name = [...files.keys()][0] ?? PLAN;
        const file = path.join(disk.path, name);
        try {
          if (name === PLAN) await readSchemePlan(file, model);
          else for (const device of await readDevices(file)) assertUsable(Object.values(device));
        } finally {
          disk.assertClean();
        }
      },
      tearDown: () => disk.remove(),
    };
  },
};

function assertUsable(values: readonly unknown[]): void {
  if (values.some((value) => typeof value === 'number' && !(value > 0 && value <= 1e15))) {
    throw new Error(`a device of ${values}`);
  }
}
