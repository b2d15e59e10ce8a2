import path from 'node:path';
import type { TestContext } from 'node:test';
import { isOnnxArtifact, type OnnxArtifact } from '../../../formats/onnx/import/open.ts';
import { closeModel, type Model } from '../../../src/core/model.ts';
import { convert } from '../../../src/pipeline/convert.ts';
import { planTargets } from '../../../src/pipeline/planning/target.ts';
import type { TargetOptions } from '../../../src/pipeline/planning/target-options.ts';
import { openSource } from '../../../src/pipeline/sources/open.ts';
import { temporaryFolder } from '../temporary-folder.ts';

/** Converts a model into a folder of its own, in one scheme or in several, and returns the folder. */
export async function exportOnnx(
  t: TestContext,
  model: Model,
  schemes: string | readonly string[],
  options: TargetOptions = {},
): Promise<string> {
  const output = path.join(temporaryFolder(t), 'onnx-artifact');
  const targets = await planTargets(
    model,
    [schemes].flat().map((scheme) => `onnx:${scheme}`),
    options,
  );
  await convert({ model, source: 'memory', targets, output, threads: 1 });
  return output;
}

/** Opens what was exported until the test ends. */
export async function openExported(t: TestContext, folder: string): Promise<OnnxArtifact> {
  const model = await openSource(folder);
  t.after(() => closeModel(model));
  if (!isOnnxArtifact(model)) throw new Error(`${folder} is no ONNX artifact`);
  return model;
}

/** The largest difference of two lists of rows. */
export function largestDifference(a: readonly ArrayLike<number>[], b: readonly ArrayLike<number>[]): number {
  return a.reduce((most, row, at) => {
    const other = b[at]!;
    let largest = most;
    for (let i = 0; i < row.length; i++) {
      const difference = Math.abs(row[i]! - other[i]!);
      // A NaN is a difference too.
      if (!(difference <= largest)) largest = difference;
    }
    return largest;
  }, 0);
}
