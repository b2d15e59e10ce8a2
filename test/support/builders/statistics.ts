import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { MOMENT_ROLES } from '../../../calibration/moments.ts';
import { readStatistics } from '../../../formats/imatrix/statistics.ts';
import type { PlmConfig } from '../../../src/core/config.ts';
import type { Model } from '../../../src/core/model.ts';
import { plmTensors } from '../../../src/core/names.ts';
import { type Moments, SAMPLE_WORDS, type Statistics } from '../../../src/core/statistics.ts';
import { InputFile } from '../../../src/io/input-file.ts';
import { calibrate } from '../../../src/pipeline/calibrate.ts';
import { fixture } from '../paths.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { uniform } from './samples.ts';

/** Numbers that are no model's, for passes that keep what is computed whatever they go by. */
export function madeUpStatistics(config: PlmConfig, seed = 1): Statistics {
  const next = uniform(seed);
  const random = (count: number) => Float32Array.from({ length: count }, () => 0.01 + next());
  const matrices = plmTensors(config).filter(({ shape, ggufName }) => shape.length > 1 && ggufName);
  return {
    name: 'made-up',
    sha256: '',
    tokens: 100,
    meanSquares: new Map(matrices.map(({ ggufName, shape }) => [ggufName!, random(shape.at(-1)!)])),
    neurons: config.intermediateSizes.map((width) => ({
      firings: random(width).map((rate) => Math.ceil(90 * rate)),
      means: random(width),
      meanSquares: random(width).map((square) => square + 2),
      fired: Uint16Array.from({ length: width * SAMPLE_WORDS }, () => 65_536 * next()),
      outputSquares: random(config.hiddenSize),
    })),
    moments: new Map(),
  };
}

/** The same with second moments: neighbouring inputs of every matrix go half together. */
export function correlatedStatistics(config: PlmConfig): Statistics {
  const statistics = madeUpStatistics(config);
  const moments = [...statistics.meanSquares].map(([name, { length }]): [string, Moments] => {
    const product = (i: number, j: number) => 0.5 ** Math.abs(i - j);
    const triangle = async (order: ArrayLike<number>) =>
      Float64Array.from(
        Array.from(order, (_, i) =>
          Array.from({ length: i + 1 }, (_, j) => product(order[i]!, order[j]!)),
        ).flat(),
      );
    return [name, { size: length, triangle }];
  });
  return { ...statistics, moments: new Map(moments) };
}

/**
 * Statistics of a model over a text, with second moments of everything; the file lives as long as the test.
 */
export async function statisticsOver(t: TestContext, model: Model, text: string): Promise<Statistics> {
  const output = path.join(temporaryFolder(t), 'statistics.gguf');
  await calibrate({
    model,
    source: 'memory',
    texts: [{ name: 'text', text }],
    output,
    threads: 1,
    contextLength: Math.min(256, model.config.maxPositionEmbeddings),
    moments: MOMENT_ROLES,
  });
  const file = await InputFile.open(output, 'statistics.gguf');
  t.after(() => file.close());
  return readStatistics(file);
}

export function fixtureText(name: 'calibration' | 'eval', characters?: number): string {
  return readFileSync(fixture('text', `${name}.txt`), 'utf8').slice(0, characters);
}
