import { readHeader } from '../../../formats/safetensors/reader.ts';
import { noiseSafetensors } from '../../support/builders/safetensors-builder.ts';
import { MemoryFolder } from '../memory-folder.ts';
import { mutateSafetensors } from '../mutate/safetensors.ts';
import type { Files, Target } from '../target.ts';

const FILE = 'model.safetensors';

/** A file of safetensors by itself. */
export const SAFETENSORS: Target = {
  name: 'safetensors',
  cases: 40_000,
  async setUp() {
    const dtypes = ['F32', 'BF16', 'U8', 'I64'] as const;
    const tensors = dtypes.map((dtype, i) => ({ name: `layers.${i}.weight`, dtype, shape: [3, 2 + i] }));
    const seed = new Map([
      [FILE, noiseSafetensors([...tensors, { name: 'e', dtype: 'F32', shape: [0] }], 1).content],
    ]);
    return { seeds: [seed], mutatorOf: () => mutateSafetensors, open };
  },
};

async function open(files: Files): Promise<void> {
  const memory = new MemoryFolder(files);
  await memory.whole(async () => {
    const file = memory.file(FILE);
    try {
      const { tensors } = await readHeader(file);
      let end = file.bytes;
      for (const { offset, bytes } of [...tensors.values()].reverse()) {
        if (offset + bytes !== end) throw new Error('a hole behind a tensor');
        end = offset;
        await file.readInto(new Uint8Array(bytes), offset);
      }
    } finally {
      await file.close();
    }
  });
}
