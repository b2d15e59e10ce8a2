import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { decodeModel } from '../formats/onnx/decode.ts';
import { encodeModel } from '../formats/onnx/encode.ts';
import { GRAPH_FOLDER } from '../formats/onnx/folder/graph-file.ts';
import type { CacheForm, PlmConfig } from '../src/core/config.ts';
import { convert } from '../src/pipeline/convert.ts';
import type { Target } from '../src/pipeline/planning/planned-target.ts';
import { planTargets } from '../src/pipeline/planning/target.ts';
import { withSource } from '../src/pipeline/sources/open.ts';
import { mobiusGraph } from './mobius-graph.ts';

/** One model with weights of about as many bits, as every decoder takes it: paths of files. */
export interface DecoderFiles {
  /** Graph with a latent cache. */
  readonly latent: string;
  /** Graph with an expanded cache, of plain operators. */
  readonly expanded: string;
  /** The same in mobius's form, over the same file of weights. */
  readonly mobius: string;
  readonly gguf: string;
}

/** An ONNX scheme and the recipe of the GGUF file beside it. */
export interface Pair {
  readonly scheme: string;
  readonly recipe: string;
}

/** Writes the checkpoint in `source` into `folder` in all forms, those of each pair in its place. */
export function writeDecoderFiles(
  source: string,
  folder: string,
  pairs: readonly Pair[],
): Promise<{ readonly config: PlmConfig; readonly files: readonly DecoderFiles[] }> {
  return withSource(source, async (model) => {
    const graphs = pairs.map(({ scheme }) => `onnx:${scheme}`);
    const recipes = pairs.map(({ recipe }) => `gguf:${recipe}`);
    const write = async (cache: CacheForm, names: readonly string[]) => {
      const targets = await planTargets(model, names, { cache });
      const output = path.join(folder, cache);
      await convert({ model, source, targets, output });
      return targets.map((target) => path.join(output, mainFile(target)));
    };
    const latent = await write('latent', [...graphs, ...recipes]);
    const expanded = await write('expanded', graphs);
    const files = pairs.map((_, index) => ({
      latent: latent[index]!,
      expanded: expanded[index]!,
      mobius: writeMobius(expanded[index]!, model.config),
      gguf: latent[pairs.length + index]!,
    }));
    return { config: model.config, files };
  });
}

function mainFile({ graph, plan }: Target): string {
  return graph === undefined ? plan.files[0]!.name : path.join(GRAPH_FOLDER, graph.name);
}

/** Rewrites a graph beside its file of weights. */
function writeMobius(expanded: string, config: PlmConfig): string {
  const file = expanded.replace(/\.onnx$/, '_mobius.onnx');
  writeFileSync(file, encodeModel(mobiusGraph(decodeModel(readFileSync(expanded), expanded), config)));
  return file;
}
