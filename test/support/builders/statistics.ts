import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { MOMENT_ROLES } from '../../../calibration/moments.ts';
import { readStatistics } from '../../../formats/imatrix/statistics.ts';
import type { PlmConfig } from '../../../src/core/config.ts';
import type { Model } from '../../../src/core/model.ts';
import { plmTensors } from '../../../src/core/names.ts';
import { type InputStatistics, SAMPLE_WORDS, type Statistics } from '../../../src/core/statistics.ts';
import { InputFile } from '../../../src/io/input-file.ts';
import { calibrate } from '../../../src/pipeline/calibration/calibrate.ts';
import { fixture } from '../paths.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { uniform } from './samples.ts';

/** Numbers that are no model's, for passes that keep what is computed whatever they go by. */
export function madeUpStatistics(config: PlmConfig, seed = 1): Statistics {
  const next = uniform(seed);
  const random = (count: number) => Float32Array.from({ length: count }, () => 0.01 + next());
  const matrices = plmTensors(config).filter(({ shape, ggufName }) => shape.length > 1 && ggufName);
  const inputs = new Map(
    matrices.map(({ ggufName, shape }) => [ggufName!, inputsOf(random(shape.at(-1)!))] as const),
  );
  const neurons = config.intermediateSizes.map((width) => ({
    firings: random(width).map((rate) => Math.ceil(90 * rate)),
    means: random(width),
    meanSquares: random(width).map((square) => square + 2),
    fired: Uint16Array.from({ length: width * SAMPLE_WORDS }, () => 65_536 * next()),
    outputSquares: random(config.hiddenSize),
  }));
  return {
    name: 'made-up',
    sha256: '',
    tokens: 100,
    inputs,
    widths: config.intermediateSizes,
    neurons: () => neurons,
  };
}

/** Inputs of which the mean squares are known. */
export function inputsOf(squares: Float32Array): InputStatistics {
  return { channels: squares.length, turn: 0, meanSquares: async () => squares };
}

/** The same with second moments: neighbouring inputs of every matrix go half together. */
export function correlatedStatistics(config: PlmConfig): Statistics {
  const statistics = madeUpStatistics(config);
  const inputs = [...statistics.inputs].map(([name, known]): [string, InputStatistics] => {
    const product = (i: number, j: number) => 0.5 ** Math.abs(i - j);
    const triangle = async (order: ArrayLike<number>, _signal?: AbortSignal, into?: Float64Array) => {
      const values = Array.from(order, (_, i) =>
        Array.from({ length: i + 1 }, (_, j) => product(order[i]!, order[j]!)),
      ).flat();
      into?.set(values);
      return into ?? Float64Array.from(values);
    };
    return [name, { ...known, moments: { size: known.channels, triangle } }];
  });
  return { ...statistics, inputs: new Map(inputs) };
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
