import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { kvCacheBytesPerToken, kvCacheElements, type PlmConfig } from '../src/core/config.ts';
import { type DecoderFiles, type Pair, writeDecoderFiles } from './decoder-files.ts';
import { type Decoded, DecoderProcess } from './decoder-process.ts';
import type { Measurement } from './measure.ts';
import { writePlmCheckpoint } from './plm-checkpoint.ts';

const PAIRS: readonly Pair[] = [
  { scheme: 'q4', recipe: 'q4_k_m' },
  { scheme: 'q8', recipe: 'q8_0' },
];

/** Tokens that a decoder adds before it is the next one's turn. */
const TOKENS_A_TURN = 3;

const F32_BYTES = 4;

interface Setting {
  readonly contexts: readonly number[];
  readonly threads: number;
  readonly rounds: number;
}

/**
 * `npm run bench -- onnx [--layers N] [--contexts a,b] [--threads N] [--rounds N]`: one token with a latent
 * cache in ONNX Runtime on the CPU, against an expanded cache in mobius's form, the same of plain operators,
 * and llama.cpp (arch plm, no flash attention). One random checkpoint of PLM-1.8B's widths and whole
 * vocabulary. All take turns, each in a process of its own; the fastest token and the least memory of each
 * count. Contexts ascend.
 */
export async function* benchOnnx(argv: readonly string[]): AsyncGenerator<Measurement> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      layers: { type: 'string', default: '8' },
      contexts: { type: 'string', default: '16,1024,4000' },
      threads: { type: 'string', default: String(availableParallelism()) },
      rounds: { type: 'string', default: '5' },
    },
  });
  const setting: Setting = {
    contexts: values.contexts.split(',').map(Number),
    threads: Number(values.threads),
    rounds: Number(values.rounds),
  };
  const folder = mkdtempSync(path.join(tmpdir(), 'plmpress-bench-'));
  try {
    const source = path.join(folder, 'plm');
    await writePlmCheckpoint(source, { layers: Number(values.layers) });
    const { config, files } = await writeDecoderFiles(source, folder, PAIRS);
    yield* compareCaches(config);
    for (const [index, { scheme }] of PAIRS.entries()) {
      const what = `${scheme}, ${values.layers} layers, ${values.threads} threads`;
      yield* compareDecoders(what, files[index]!, setting);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function* compareCaches(config: PlmConfig): Generator<Measurement> {
  const ours = F32_BYTES * kvCacheElements(config, 'latent');
  const expanded = F32_BYTES * kvCacheElements(config, 'expanded');
  const what = 'cache of a token';
  yield { what: `${what}, expanded`, ours, baseline: expanded, unit: 'bytes' };
  yield {
    what: `${what}, llama.cpp`,
    ours,
    baseline: kvCacheBytesPerToken(config, 'expanded'),
    unit: 'bytes',
  };
}

async function* compareDecoders(
  what: string,
  { latent, expanded, mobius, gguf }: DecoderFiles,
  { contexts, threads, rounds }: Setting,
): AsyncGenerator<Measurement> {
  const options = { threads, contextLength: contexts.at(-1)! };
  const onnx = (file: string) => DecoderProcess.open({ engine: 'onnxruntime', file, ...options });
  const decoders = {
    ours: await onnx(latent),
    mobius: await onnx(mobius),
    'plain expanded': await onnx(expanded),
    'llama.cpp': await DecoderProcess.open({ engine: 'llama.cpp', file: gguf, ...options }),
  };
  const names = Object.keys(decoders) as (keyof typeof decoders)[];
  try {
    for (const context of contexts) {
      for (const name of names) await decoders[name].fill(context);
      const turns = new Map(names.map((name): [string, Decoded[]] => [name, []]));
      for (let round = 0; round < rounds; round++) {
        for (const name of names) turns.get(name)!.push(await decoders[name].decode(TOKENS_A_TURN));
      }
      const least = (name: string, figure: keyof Decoded) =>
        Math.min(...turns.get(name)!.map((decoded) => decoded[figure]));
      for (const name of names.slice(1)) {
        const compare = (figure: keyof Decoded, scale: number) => ({
          ours: least('ours', figure) * scale,
          baseline: least(name, figure) * scale,
        });
        const against = (figure: string) => `${what}, behind ${context}: ${figure}, ${name}`;
        yield { what: against('time'), ...compare('milliseconds', 1), unit: 'ms a token' };
        yield { what: against('memory'), ...compare('residentBytes', 1e-6), unit: 'MB' };
      }
    }
  } finally {
    await Promise.all(Object.values(decoders).map((decoder) => decoder.close()));
  }
}
