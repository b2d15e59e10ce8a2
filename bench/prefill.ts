import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { withSource } from '../src/pipeline/sources/open.ts';
import { PlmRuntime } from '../src/runtime/plm-runtime.ts';
import { openInLlama } from '../test/support/oracles/llama.ts';
import type { Measurement } from './measure.ts';
import { writePlmCheckpoint } from './plm-checkpoint.ts';
import { costOf } from './process-cost.ts';

/**
 * `npm run bench -- prefill [--layers N] [--tokens N] [--threads N]`: tokens per second of prompt batches
 * through layers of PLM-1.8B's width, our runtime against llama.cpp (arch plm, no flash attention) on the
 * same BF16 file, in turn. Both compute the logits of the last token only; the vocabulary is small, so that
 * layers are what is measured.
 */
export async function* benchPrefill(argv: readonly string[]): AsyncGenerator<Measurement> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      layers: { type: 'string', default: '4' },
      tokens: { type: 'string', default: '512' },
      threads: { type: 'string', default: String(availableParallelism()) },
    },
  });
  const [layers, tokens, threads] = [values.layers, values.tokens, values.threads].map(Number) as [
    number,
    number,
    number,
  ];
  const folder = mkdtempSync(path.join(tmpdir(), 'plmpress-bench-'));
  try {
    const source = path.join(folder, 'plm');
    await writePlmCheckpoint(source, { layers, vocabSize: 1024 });
    const ids = Array.from({ length: tokens }, (_, i) => (i * 37) % 1000);
    for (const recipe of ['bf16', 'q8_0', 'q4_k_m']) {
      const output = path.join(folder, recipe);
      await costOf('plmpress', ['convert', source, '--to', `gguf:${recipe}`, '-o', output, '--quiet']);
      const file = path.join(output, `plm-${recipe.toUpperCase()}.gguf`);
      const [ours, theirs] = [await ourRun(file, ids, threads), await theirRun(file, ids, threads)];
      const best = { ours: Number.POSITIVE_INFINITY, theirs: Number.POSITIVE_INFINITY };
      for (let round = 0; round < 3; round++) {
        best.ours = Math.min(best.ours, await timed(ours.run));
        best.theirs = Math.min(best.theirs, await timed(theirs.run));
      }
      await Promise.all([ours.close(), theirs.close()]);
      const perToken = 1000 / tokens;
      const what = `prefill ${recipe}, ${layers} layers, ${tokens} tokens, ${threads} threads`;
      yield { what, ours: best.ours * perToken, baseline: best.theirs * perToken, unit: 'ms a token' };
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Run {
  readonly run: () => Promise<unknown>;
  readonly close: () => Promise<void>;
}

async function ourRun(file: string, ids: readonly number[], threads: number): Promise<Run> {
  const runtime = await withSource(file, (model) =>
    PlmRuntime.open(model, { contextLength: ids.length, threads, attention: 'expanded' }),
  );
  const run = () => {
    runtime.reset();
    return runtime.next(ids);
  };
  return { run, close: () => runtime.close() };
}

async function theirRun(file: string, ids: readonly number[], threads: number): Promise<Run> {
  const llama = await openInLlama(file, { contextSize: ids.length, threads });
  return { run: () => llama.prefill(ids), close: () => llama.dispose() };
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return (performance.now() - start) / 1000;
}
