import { readImatrix } from '../../../formats/imatrix/reader.ts';
import { datBytes, datFields, imatrixGguf, imatrixTensors } from '../../support/builders/imatrix-files.ts';
import { MemoryFolder } from '../memory-folder.ts';
import { mutateWords } from '../mutate/dat.ts';
import { mutateGguf } from '../mutate/gguf.ts';
import type { Files, Target } from '../target.ts';

const STATISTICS = {
  'blk.0.ffn_up.weight': { sums: [1, 2, 0, 4], count: 3 },
  'blk.0.ffn_down.weight': { sums: [0, 0], count: 1 },
  'output.weight': { sums: [5, 6, 7], count: 2 },
};

/** Importance matrices of llama-imatrix in both forms. */
export const IMATRIX: Target = {
  name: 'imatrix',
  cases: 80_000,
  async setUp() {
    const dat = datBytes([...datFields(STATISTICS), 7, 9, 'texts/a.b']);
    return {
      seeds: [new Map([['i.gguf', imatrixGguf(imatrixTensors(STATISTICS))]]), new Map([['i.dat', dat]])],
      mutatorOf: (name) => (name === 'i.dat' ? mutateWords : mutateGguf),
      open,
    };
  },
};

async function open(files: Files): Promise<void> {
  const memory = new MemoryFolder(files);
  await memory.whole(async () => {
    const file = memory.file([...files.keys()][0] ?? 'i.gguf');
    try {
      const { entries, datasets } = await readImatrix(file);
      let values = 0;
      for (const [name, importances] of entries) {
        values += importances.length;
        if (!importances.every((value) => value >= 0 && value < Infinity))
          throw new Error(`${name} is broken`);
      }
      if (4 * values > file.bytes) throw new Error('more values than the file holds');
      if (datasets.some((name) => /[\\/]/.test(name))) throw new Error('the path of a data set');
    } finally {
      await file.close();
    }
  });
}
