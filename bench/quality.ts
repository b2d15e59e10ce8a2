import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { MOMENT_ROLES } from '../calibration/moments.ts';
import type { ExportPlan, Feedback, PlannedTensor } from '../src/core/export-plan.ts';
import type { Imatrix } from '../src/core/imatrix.ts';
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
import { press } from '../src/press/press.ts';
import type { PressRequest } from '../src/press/request.ts';
import { Tokenizer } from '../src/tokenizer/tokenizer.ts';
import { compareEngines, windowsOf } from '../src/verify/compare.ts';
import { LayeredLogits } from '../src/verify/layered-logits.ts';
import { RememberedLogits } from '../src/verify/remembered-logits.ts';
import { uniform } from '../test/support/builders/samples.ts';
import type { Measurement } from './measure.ts';

const FIXTURES = fileURLToPath(new URL('../../fixtures', import.meta.url));
const SOURCE = path.join(FIXTURES, 'plm-tiny');
const RECIPES = ['q3_k_m', 'q4_k_m', 'q5_k_m'];
/** Of other formats. */
const TARGETS = ['onnx:q4', 'webgpu:q4', 'webgpu:q8'];
const FEW_TOKENS = 2048;
const TOKENS = 8192;
const CONTEXT = 256;
const THREADS = 2;
const RESAMPLES = 2000;

/** Parts of error feedback that a row goes without. */
const PARTS: Readonly<Record<string, Partial<Feedback>>> = {
  'error feedback alone': { refit: false, descent: false },
  'error feedback and refit': { descent: false },
  'error feedback and descent': { refit: false },
  'error feedback without shrinkage': { chance: 0 },
};

/**
 * `npm run bench -- quality [--calibration FILE] [--eval FILE] [--tokens N]`: mean KLD of plm-tiny in the
 * bytes of three recipes of llama.cpp, by what goes into the rounding, against the recipe with importances,
 * which are the bytes of llama-quantize; then by statistics of few tokens, and in other formats against plain
 * rounding. Statistics and schemes go by one text, figures by another. With 95 % of a paired bootstrap over
 * positions.
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
  const calibration = readFileSync(values.calibration, 'utf8');
  try {
    const measured: Measurement[] = [];
    await withSource(SOURCE, async (model) => {
      const text = readFileSync(values.eval, 'utf8');
      const ids = await encodeTexts(new Tokenizer(model.tokenizer), [text], Number(values.tokens));
      const judge = await Judge.open(model, ids);
      for (const tokens of [undefined, FEW_TOKENS]) {
        const file = path.join(folder, `statistics-${tokens}.gguf`);
        await calibrate({
          model,
          source: SOURCE,
          texts: [{ name: 'calibration', text: calibration }],
          maxTokens: tokens,
          threads: THREADS,
          output: file,
          contextLength: CONTEXT,
          moments: MOMENT_ROLES,
        });
        const imatrix = await readImatrix(file);
        await withStatistics(file, async (statistics) => {
          const known = { imatrix, best: { quality: 'best', statistics: statistics! } as const };
          const rows = tokens === undefined ? levers(judge, known, calibration) : fewTokens(judge, known);
          for await (const measurement of rows) measured.push(measurement);
        });
        if (tokens === undefined) measured.push(...(await otherFormats(judge, file, folder)));
      }
      await judge.close();
    });
    yield* measured;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What the rounding goes by. */
interface Known {
  readonly imatrix: Imatrix;
  readonly best: TargetOptions;
}

async function* levers(
  judge: Judge,
  { imatrix, best }: Known,
  calibration: string,
): AsyncGenerator<Measurement> {
  const scaled = ['fold-norms', 'scale-inputs', 'scale-ffn'].map(parsePassRequest);
  for (const recipe of RECIPES) {
    const plain = await judge.divergences(`gguf:${recipe}`, { imatrix });
    const allocation = { targetBytes: plain.bytes, texts: [calibration], threads: THREADS };
    const compare = async (lever: string, options: TargetOptions, change?: Partial<Feedback>) =>
      row(recipe, lever, await judge.divergences(`gguf:${recipe}`, options, change), plain);
    yield await compare('neither importances nor feedback', {});
    for (const [lever, change] of Object.entries(PARTS)) yield await compare(lever, best, change);
    yield await compare('error feedback', best);
    yield await compare('error feedback, scales of inputs and neurons', { ...best, passes: scaled });
    yield await compare('schemes by size', { imatrix, allocation });
    yield await compare('error feedback, schemes by size', { ...best, allocation });
  }
}

/** By the weights of whole artifacts, in the reference runtime. */
async function otherFormats(judge: Judge, statistics: string, folder: string): Promise<Measurement[]> {
  const rows: Measurement[] = [];
  for (const target of TARGETS) {
    const divergences = async (request: Partial<PressRequest>): Promise<Divergences> => {
      const output = path.join(folder, `${target.replace(':', '-')}-${request.options?.quality}`);
      const { targets } = await press({ source: SOURCE, targets: [target], output, ...request });
      const bytes = targets[0]!.plan.files.reduce((sum, file) => sum + file.bytes, 0);
      return { klds: await withSource(output, (artifact) => judge.of(artifact)), bytes };
    };
    const plain = await divergences({});
    rows.push(
      row(target, 'error feedback', await divergences({ statistics, options: { quality: 'best' } }), plain),
    );
  }
  return rows;
}

async function* fewTokens(judge: Judge, { imatrix, best }: Known): AsyncGenerator<Measurement> {
  for (const recipe of RECIPES) {
    const plain = await judge.divergences(`gguf:${recipe}`, { imatrix });
    const ours = await judge.divergences(`gguf:${recipe}`, best);
    yield row(recipe, `error feedback by ${FEW_TOKENS} tokens`, ours, plain);
  }
}

interface Divergences {
  readonly klds: readonly number[];
  readonly bytes: number;
}

function row(target: string, lever: string, ours: Divergences, plain: Divergences): Measurement {
  const [low, high] = interval(ours.klds, plain.klds);
  return {
    what: `${target}, ${ours.bytes} of ${plain.bytes} bytes: ${lever} (${low.toFixed(3)} to ${high.toFixed(3)})`,
    ours: mean(ours.klds),
    baseline: mean(plain.klds),
    unit: 'nats per token',
  };
}

/** Compares what a GGUF would compute with its source. */
class Judge {
  readonly #model: Model;
  readonly #ids: readonly number[];
  readonly #reference: RememberedLogits;

  static async open(model: Model, ids: readonly number[]): Promise<Judge> {
    const engine = await LayeredLogits.open(model, windowsOf(ids, CONTEXT), { threads: THREADS });
    return new Judge(model, ids, new RememberedLogits(engine, model.config.vocabSize, ids.length, 1e9));
  }

  private constructor(model: Model, ids: readonly number[], reference: RememberedLogits) {
    this.#model = model;
    this.#ids = ids;
    this.#reference = reference;
  }

  /** `change`: to the feedback of all tensors. */
  async divergences(
    target: string,
    options: TargetOptions,
    change: Partial<Feedback> = {},
  ): Promise<Divergences> {
    const { model, plan: planned } = await planTarget(this.#model, target, options);
    const plan = changed(planned, change);
    const rounded = await roundedModel(model, plan, { threads: THREADS });
    const bytes = plan.files.reduce((sum, file) => sum + file.bytes, 0);
    return { klds: await this.of(rounded), bytes };
  }

  /** KLD of every position. */
  async of(model: Model): Promise<readonly number[]> {
    const engine = await LayeredLogits.open(model, windowsOf(this.#ids, CONTEXT), { threads: THREADS });
    const klds: number[] = [];
    await compareEngines(this.#reference, engine, this.#ids, { onRow: ({ kld }) => klds.push(kld) });
    await engine.close();
    return klds;
  }

  close(): Promise<void> {
    return this.#reference.close();
  }
}

function changed(plan: ExportPlan, change: Partial<Feedback>): ExportPlan {
  const tensorOf = (tensor: PlannedTensor) =>
    tensor.feedback === undefined ? tensor : { ...tensor, feedback: { ...tensor.feedback, ...change } };
  return { ...plan, files: plan.files.map((file) => ({ ...file, tensors: file.tensors.map(tensorOf) })) };
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
