import { mkdirSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { decodeModel } from '../../../formats/onnx/decode.ts';
import type { CacheForm } from '../../../src/core/config.ts';
import { closeModel } from '../../../src/core/model.ts';
import { isExternal, type OnnxModel } from '../../../src/onnx/graph.ts';
import type { ReadInitializer } from '../../../src/onnx/weights/weight-request.ts';
import { convert } from '../../../src/pipeline/convert.ts';
import { planTarget } from '../../../src/pipeline/planning/target.ts';
import { openSource } from '../../../src/pipeline/sources/open.ts';
import { writeRandomCheckpoint } from './random-checkpoint.ts';

/**
 * A PLM whose sizes all differ, so that no mistake of an axis goes unseen; o_proj has a block that is not
 * whole.
 */
const CONFIG: Readonly<Record<string, unknown>> = {
  hidden_size: 96,
  intermediate_size: 160,
  num_attention_heads: 3,
  kv_lora_rank: 64,
  qk_nope_head_dim: 32,
  qk_rope_head_dim: 16,
  v_head_dim: 40,
  max_position_embeddings: 64,
};

/** What an exporter wrote. */
export interface ExportedGraph {
  readonly file: string;
  readonly model: OnnxModel;
}

/** Exports a random PLM to `folder`. */
export async function exportRandom(folder: string, scheme: string, cache: CacheForm): Promise<ExportedGraph> {
  const source = path.join(folder, 'source');
  mkdirSync(source);
  writeRandomCheckpoint(source, { config: CONFIG });
  const model = await openSource(source);
  try {
    const target = await planTarget(model, `onnx:${scheme}`, { cache });
    const { files } = await convert({ model, source, targets: [target], output: folder, threads: 1 });
    const graph = files.find((each) => each.path.endsWith('.onnx'))!;
    const file = path.join(folder, graph.path);
    return { file, model: decodeModel(readFileSync(file), path.basename(file)) };
  } finally {
    await closeModel(model);
  }
}

/** Reads what lies beside a graph. */
export function readBeside(file: string): ReadInitializer {
  return async ({ data }, into) => {
    if (!isExternal(data)) throw new Error('asked for what the graph has');
    const handle = await open(path.join(path.dirname(file), data.location));
    try {
      const { bytesRead } = await handle.read(into, 0, data.length, data.offset);
      if (bytesRead < data.length) throw new Error(`${data.location} ends early`);
    } finally {
      await handle.close();
    }
  };
}
