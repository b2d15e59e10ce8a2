import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { GGUF_ARCHITECTURES, type GgufArchitecture } from '../formats/gguf/architecture.ts';
import { openHfFolder } from '../formats/hf/import.ts';
import { closeModel } from '../src/core/model.ts';
import { convert } from '../src/pipeline/convert.ts';
import { planTarget } from '../src/pipeline/planning/target.ts';
import { openLlamaDecoder } from './llama-decoder.ts';
import type { Measurement } from './measure.ts';
import { writePlmCheckpoint } from './plm-checkpoint.ts';

/** Tokens that are generated at each context, of which the fastest counts. */
const DECODED = 12;

/**
 * `npm run bench -- gguf-arch [--layers N] [--threads N] [--recipe R] [--contexts a,b]`: llama.cpp on a
 * random model of PLM-1.8B's widths and a small vocabulary, as arch deepseek2 (ours) against arch plm
 * (baseline): time of one token behind so many others. Flash attention is on where the arch allows it.
 */
export async function* benchGgufArch(argv: readonly string[]): AsyncGenerator<Measurement> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      layers: { type: 'string', default: '4' },
      threads: { type: 'string', default: '1' },
      recipe: { type: 'string', default: 'q4_k_m' },
      contexts: { type: 'string', default: '128,1024,2048,4000' },
    },
  });
  const contexts = values.contexts.split(',').map(Number);
  const threads = Number(values.threads);
  const folder = mkdtempSync(path.join(tmpdir(), 'plmpress-bench-'));
  try {
    const files = await writeBoth(folder, Number(values.layers), values.recipe);
    const times = new Map<GgufArchitecture, number[]>();
    for (const arch of GGUF_ARCHITECTURES) {
      times.set(arch, await decodeTimes(files.get(arch)!, arch, contexts, threads));
    }
    for (const [index, context] of contexts.entries()) {
      const [baseline, ours] = GGUF_ARCHITECTURES.map((arch) => times.get(arch)![index]!);
      const what = `${values.recipe}, ${values.layers} layers, a token behind ${context}`;
      yield { what, ours: ours!, baseline: baseline!, unit: 'ms' };
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function writeBoth(
  folder: string,
  layers: number,
  recipe: string,
): Promise<ReadonlyMap<GgufArchitecture, string>> {
  const source = path.join(folder, 'plm');
  await writePlmCheckpoint(source, { layers, vocabSize: 4096 });
  const model = await openHfFolder(source);
  try {
    const targets = await Promise.all(
      GGUF_ARCHITECTURES.map((arch) => planTarget(model, `gguf:${recipe}`, { arch })),
    );
    const output = path.join(folder, 'out');
    await convert({ model, source, targets, output });
    const file = (index: number) => path.join(output, targets[index]!.plan.files[0]!.name);
    return new Map(GGUF_ARCHITECTURES.map((arch, index) => [arch, file(index)]));
  } finally {
    await closeModel(model);
  }
}

/** Milliseconds of the fastest token behind each of `contexts` others, which ascend. */
async function decodeTimes(
  file: string,
  arch: GgufArchitecture,
  contexts: readonly number[],
  threads: number,
): Promise<number[]> {
  const contextLength = contexts.at(-1)!;
  const decoder = await openLlamaDecoder(file, {
    threads,
    contextLength,
    flashAttention: arch === 'deepseek2',
  });
  const times: number[] = [];
  for (const length of contexts) {
    await decoder.fill(length);
    let fastest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < DECODED; i++) fastest = Math.min(fastest, await decoder.decode());
    times.push(fastest);
  }
  await decoder.close();
  return times;
}
