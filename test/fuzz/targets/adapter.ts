import { openAdapter } from '../../../formats/peft/adapter.ts';
import { closeModel } from '../../../src/core/model.ts';
import { byteLength, rowCount } from '../../../src/core/tensor.ts';
import { mergeLora } from '../../../src/passes/merge-lora.ts';
import { adapterPair, writeAdapter } from '../../support/builders/adapter-files.ts';
import { DiskFolder, readFolder } from '../disk-folder.ts';
import { mutateJson } from '../mutate/json.ts';
import { mutateSafetensors } from '../mutate/safetensors.ts';
import { blockModel } from '../small-model.ts';
import type { Files, Target } from '../target.ts';

/** Folders of LoRA adapters of PEFT, merged into a model. */
export const ADAPTER: Target = {
  name: 'adapter',
  cases: 4000,
  async setUp() {
    const model = blockModel();
    const shape = model.tensors.get('model.layers.0.mlp.down_proj.weight')!.shape as [number, number];
    const disk = new DiskFolder();
    writeAdapter(disk.path, adapterPair('model.layers.0.mlp.down_proj', shape));
    const seed: Files = readFolder(disk.path);
    return {
      seeds: [seed],
      mutatorOf: (name) => (name.endsWith('.json') ? mutateJson : mutateSafetensors),
      open: async (files) => {
        disk.place(files);
        try {
          const adapter = await openAdapter(disk.path);
          try {
            for (const { a, b, scale } of adapter.pairs.values()) {
              if (!Number.isFinite(scale)) throw new Error(`the scale is ${scale}`);
              for (const half of [a, b]) {
                await half.readRows({ first: 0, count: rowCount(half) }, new Uint8Array(byteLength(half)));
              }
            }
            mergeLora(model, adapter);
          } finally {
            await closeModel(adapter);
          }
        } finally {
          disk.assertClean();
        }
      },
      tearDown: () => disk.remove(),
    };
  },
};
