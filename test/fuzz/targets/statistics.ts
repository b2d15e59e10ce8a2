import { readStatistics } from '../../../formats/imatrix/statistics.ts';
import { SAMPLE_WORDS } from '../../../src/core/statistics.ts';
import { statisticsFile } from '../../support/builders/statistics-file.ts';
import { MemoryFolder } from '../memory-folder.ts';
import { mutateGguf } from '../mutate/gguf.ts';
import type { Files, Target } from '../target.ts';

const FILE = 'statistics.gguf';

/** Statistics of `plmpress calibrate`. */
export const STATISTICS: Target = {
  name: 'statistics',
  cases: 25_000,
  async setUp() {
    return { seeds: [new Map([[FILE, statisticsFile()]])], mutatorOf: () => mutateGguf, open };
  },
};

async function open(files: Files): Promise<void> {
  const memory = new MemoryFolder(files);
  await memory.whole(async () => {
    const file = memory.file(FILE);
    try {
      const { inputs, neurons } = await readStatistics(file);
      for (const [name, { meanSquares }] of inputs) assertFinite(name, await meanSquares());
      for (const { firings, means, meanSquares, outputSquares, fired } of neurons()!) {
        for (const values of [firings, means, meanSquares, outputSquares]) assertFinite('neurons', values);
        const width = firings.length;
        const lengths = [means.length, meanSquares.length, fired.length / SAMPLE_WORDS];
        if (lengths.some((length) => length !== width))
          throw new Error(`${lengths} values for ${width} neurons`);
      }
      for (const [name, { moments }] of inputs) {
        if (moments === undefined) continue;
        const { size, triangle } = moments;
        const order = Array.from({ length: Math.min(size, 3) }, (_, i) => size - 1 - i);
        assertFinite(name, await triangle(order));
      }
    } finally {
      await file.close();
    }
  });
}

function assertFinite(name: string, values: Float32Array | Float64Array): void {
  if (!values.every(Number.isFinite)) throw new Error(`${name} has values that are not finite`);
}
