import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { MOMENT_ROLES } from '../calibration/moments.ts';
import type { Model } from '../src/core/model.ts';
import { parsePassRequest } from '../src/passes/run.ts';
import { roundedModel } from '../src/pipeline/allocation/round.ts';
import { calibrate } from '../src/pipeline/calibration/calibrate.ts';
import { planTarget } from '../src/pipeline/planning/target.ts';
import type { TargetOptions } from '../src/pipeline/planning/target-options.ts';
import { withSource } from '../src/pipeline/sources/open.ts';
import { withStatistics } from '../src/pipeline/sources/open-statistics.ts';
import { readImatrix } from '../src/pipeline/sources/read-imatrix.ts';
import { encodeTexts } from '../src/pipeline/sources/read-text.ts';
import { PlmRuntime } from '../src/runtime/plm-runtime.ts';
import { Tokenizer } from '../src/tokenizer/tokenizer.ts';
import { compareRows } from '../src/verify/metrics.ts';
import { RememberedLogits } from '../src/verify/remembered-logits.ts';
import { uniform } from '../test/support/builders/samples.ts';
import type { Measurement } from './measure.ts';

const FIXTURES = fileURLToPath(new URL('../../fixtures', import.meta.url));
const SOURCE = path.join(FIXTURES, 'plm-tiny');
const RECIPES = ['q3_k_m', 'q4_k_m', 'q5_k_m'];
const TOKENS = 8192;
const CONTEXT = 256;
const THREADS = 2;
const RESAMPLES = 2000;

/**
 * `npm run bench -- quality [--calibration FILE] [--eval FILE] [--tokens N]`: mean KLD of plm-tiny in the
 * bytes of three recipes of llama.cpp, by what goes into the rounding, against the recipe with importances,
 * which are the bytes of llama-quantize. Statistics and schemes go by one text, figures by another. With 95 %
 * of a paired bootstrap over positions.
 */
export async function* benchQuality(argv: readonly string[]): AsyncGenerator<Measurement> {
  const text = (name: string) => path.join(FIXTURES, 'text', `${name}.txt`);
  const { values } = parseArgs({
    args: [...argv],
    options: {
      calibration: { type: 'string', default: text('calibration') },
      eval: { type: 'string', default: text('eval') },
      tokens: { type: 'string', default: String(TOKENS) },
    },
  });
  const folder = mkdtempSync(path.join(tmpdir(), 'plmpress-bench-'));
  const statisticsFile = path.join(folder, 'statistics.gguf');
  const calibration = readFileSync(values.calibration, 'utf8');
  try {
    await withSource(SOURCE, (model) =>
      calibrate({
        model,
        source: SOURCE,
        texts: [{ name: 'calibration', text: calibration }],
        threads: THREADS,
        output: statisticsFile,
        contextLength: CONTEXT,
        moments: MOMENT_ROLES,
      }),
    );
    const imatrix = await readImatrix(statisticsFile);
    const measured: Measurement[] = [];
    await withStatistics(statisticsFile, (statistics) =>
      withSource(SOURCE, async (model) => {
        const ids = await encodeTexts(
          new Tokenizer(model.tokenizer),
          [readFileSync(values.eval, 'utf8')],
          Number(values.tokens),
        );
        const judge = await Judge.open(model, ids);
        const best: TargetOptions = { quality: 'best', statistics: statistics! };
        const scaled = ['fold-norms', 'scale-inputs', 'scale-ffn'].map(parsePassRequest);
        for (const recipe of RECIPES) {
          const plain = await judge.divergences(recipe, { imatrix });
          const allocation = { targetBytes: plain.bytes, texts: [calibration], threads: THREADS };
          const levers: readonly (readonly [string, TargetOptions])[] = [
            ['neither importances nor feedback', {}],
            ['error feedback', best],
            ['error feedback, scales of inputs and neurons', { ...best, passes: scaled }],
            ['schemes by size', { imatrix, allocation }],
            ['error feedback, schemes by size', { ...best, allocation }],
          ];
          for (const [lever, options] of levers) {
            const ours = await judge.divergences(recipe, options);
            const [low, high] = interval(ours.klds, plain.klds);
            measured.push({
              what: `${recipe}, ${ours.bytes} of ${plain.bytes} bytes: ${lever} (${low.toFixed(3)} to ${high.toFixed(3)})`,
              ours: mean(ours.klds),
              baseline: mean(plain.klds),
              unit: 'nats per token',
            });
          }
        }
        await judge.close();
      }),
    );
    yield* measured;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Compares what a GGUF would compute with its source. */
class Judge {
  readonly #model: Model;
  readonly #ids: readonly number[];
  readonly #reference: RememberedLogits;

  static async open(model: Model, ids: readonly number[]): Promise<Judge> {
    const runtime = await PlmRuntime.open(model, { contextLength: CONTEXT, threads: THREADS });
    return new Judge(model, ids, new RememberedLogits(runtime, model.config.vocabSize, ids.length, 1e9));
  }

  private constructor(model: Model, ids: readonly number[], reference: RememberedLogits) {
    this.#model = model;
    this.#ids = ids;
    this.#reference = reference;
  }

  async divergences(recipe: string, options: TargetOptions): Promise<{ klds: number[]; bytes: number }> {
    const { model, plan } = await planTarget(this.#model, `gguf:${recipe}`, options);
    const rounded = await roundedModel(model, plan, { threads: THREADS });
    const runtime = await PlmRuntime.open(rounded, { contextLength: CONTEXT, threads: THREADS });
    const klds: number[] = [];
    this.#reference.rewind();
    for (let first = 0; first < this.#ids.length; first += CONTEXT) {
      const window = this.#ids.slice(first, first + CONTEXT);
      this.#reference.reset();
      runtime.reset();
      const theirs = this.#reference.logits(window);
      for await (const row of runtime.logits(window)) {
        const { value } = await theirs.next();
        klds.push(compareRows(value as Float32Array, row, undefined).kld);
      }
      // Lets it end: what is kept is whole then.
      await theirs.next();
    }
    await runtime.close();
    return { klds, bytes: plan.files.reduce((sum, { bytes }) => sum + bytes, 0) };
  }

  close(): Promise<void> {
    return this.#reference.close();
  }
}

/** Middle 95 % of the ratio of means, positions drawn anew together. */
function interval(ours: readonly number[], baseline: readonly number[]): [low: number, high: number] {
  const next = uniform(1);
  const ratios = Array.from({ length: RESAMPLES }, () => {
    let [a, b] = [0, 0];
    for (let i = 0; i < ours.length; i++) {
      const at = Math.floor(ours.length * next());
      a += ours[at]!;
      b += baseline[at]!;
    }
    return a / b;
  }).sort((a, b) => a - b);
  return [ratios[Math.floor(0.025 * RESAMPLES)]!, ratios[Math.floor(0.975 * RESAMPLES)]!];
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
