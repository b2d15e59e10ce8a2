import { readStateDict } from '../../../formats/pytorch/state-dict.ts';
import { schemeBytes } from '../../../src/core/scheme.ts';
import {
  stateDictPickle,
  type TorchTensor,
  torchArchive,
  torchParts,
} from '../../support/builders/torch-file.ts';
import { MemoryFolder } from '../memory-folder.ts';
import { mutateTorchArchive } from '../mutate/torch-archive.ts';
import type { Files, Target } from '../target.ts';

const FILE = 'pytorch_model.bin';
const TENSORS: readonly TorchTensor[] = [
  { name: 'a.weight', dtype: 'Float', shape: [3, 4] },
  { name: 'b.weight', dtype: 'BFloat16', shape: [2], parameter: true },
  { name: 'c.weight', dtype: 'Half', shape: [2, 2], offset: 1, elements: 6 },
];

/** Archives of torch.save: the zip around, the pickle, the storages. */
export const TORCH: Target = {
  name: 'torch',
  cases: 25_000,
  async setUp() {
    const storages = new Map([48, 4, 12].map((bytes, i) => [`${i}`, Buffer.alloc(bytes, 0x3c)]));
    const seeds = [2, 4].map((protocol) => {
      const parts = torchParts(stateDictPickle(TENSORS, protocol), storages);
      return new Map([[FILE, torchArchive(parts, { wide: protocol === 4 }).content]]);
    });
    return { seeds, mutatorOf: () => mutateTorchArchive, open };
  },
};

async function open(files: Files): Promise<void> {
  const memory = new MemoryFolder(files);
  await memory.whole(async () => {
    const file = memory.file(FILE);
    try {
      for (const { name, shape, scheme, offset } of await readStateDict(file)) {
        if (scheme === undefined) continue;
        const elements = shape.reduce((product, n) => product * n, 1);
        const bytes = schemeBytes(scheme, elements);
        if (!(offset >= 0 && offset + bytes <= file.bytes)) throw new Error(`${name} lies outside the file`);
        await file.readInto(new Uint8Array(bytes), offset);
      }
    } finally {
      await file.close();
    }
  });
}
