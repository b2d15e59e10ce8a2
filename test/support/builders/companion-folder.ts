import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { TestContext } from 'node:test';
import type { GraphFile } from '../../../formats/onnx/folder/graph-file.ts';
import { companionFiles } from '../../../formats/onnx/folder/index.ts';
import type { Model } from '../../../src/core/model.ts';
import { temporaryFolder } from '../temporary-folder.ts';

/** A q4 graph with the latent of `SMALL_PLM` in halves. */
export const Q4_GRAPH: GraphFile = {
  dtype: 'q4',
  name: 'model_q4.onnx',
  dataFiles: 1,
  cache: { heads: 1, keyWidth: 136, valueWidth: 136 },
};

/** A folder with the files beside the graphs, without the graphs. */
export function companionFolder(t: TestContext, model: Model, graphs = [Q4_GRAPH]): string {
  const folder = temporaryFolder(t);
  for (const { name, text } of companionFiles(model, graphs).files) {
    writeFileSync(path.join(folder, name), text);
  }
  return folder;
}

/** The parsed text of one of the files. */
export function companion(model: Model, name: string, graphs = [Q4_GRAPH]) {
  return JSON.parse(companionFiles(model, graphs).files.find((file) => file.name === name)!.text);
}
