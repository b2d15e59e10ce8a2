import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { recipeNamed } from '../formats/gguf/recipes.ts';
import { SCHEMES, type SchemeName, schemeBytes, WRITTEN_SCHEMES } from '../src/core/scheme.ts';
import { type Compute, openCompute } from '../src/kernels/compute.ts';
import { importances, WEIGHT_SAMPLES } from '../test/support/builders/samples.ts';
import { quantizeChunkInto } from '../test/support/oracles/ggml.ts';
import { fastestInTurn, type Measurement } from './measure.ts';
import { writePlmCheckpoint } from './plm-checkpoint.ts';
import { costOf, type ProcessCost } from './process-cost.ts';

/** Kernels: enough rows to take some milliseconds at the least. */
const [ROWS, COLUMNS] = [512, 2048];

/**
 * `npm run bench -- quantize [--layers N] [--threads N] [--rounds N] [--recipes a,b]`: encoders of one thread
 * against `ggml_quantize_chunk`, then conversions of a checkpoint of PLM-1.8B geometry from safetensors
 * against `llama_model_quantize` of the same model from a BF16 GGUF, in turn.
 */
export async function* benchQuantize(argv: readonly string[]): AsyncGenerator<Measurement> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      layers: { type: 'string', default: '32' },
      threads: { type: 'string', default: String(availableParallelism()) },
      rounds: { type: 'string', default: '2' },
      recipes: { type: 'string', default: 'q4_k_m,q6_k,q8_0' },
      kernels: { type: 'boolean', default: false },
    },
  });
  yield* encoders();
  yield* speedUp();
  if (values.kernels) return;
  yield* conversions({
    layers: Number(values.layers),
    threads: values.threads,
    rounds: Number(values.rounds),
    recipes: values.recipes.split(','),
  });
}

/** Every encoder, with importances where they change anything. */
async function* encoders(): AsyncGenerator<Measurement> {
  const compute = await openCompute({ threads: 1, bytes: 9 * ROWS * COLUMNS });
  const weights = WEIGHT_SAMPLES['Gaussian in bf16']!(ROWS * COLUMNS);
  const importance = importances(COLUMNS);
  const work = prepare(compute, weights, importance);
  try {
    for (const scheme of WRITTEN_SCHEMES.filter((name) => SCHEMES[name].blockSize > 1)) {
      for (const weighted of [false, true]) {
        const target = new Uint8Array(ROWS * schemeBytes(scheme, COLUMNS));
        const theirs = () =>
          quantizeChunkInto(target, scheme, weights, ROWS, COLUMNS, weighted ? importance : null);
        yield rates(`${scheme}${weighted ? ' with imatrix' : ''}, 1 thread`, work(scheme, weighted), theirs);
      }
    }
  } finally {
    await compute.close();
  }
}

/** Two workers against one, on the scheme that takes longest of the usual ones. */
async function* speedUp(): AsyncGenerator<Measurement> {
  const weights = WEIGHT_SAMPLES['Gaussian in bf16']!(ROWS * COLUMNS);
  const [one, two] = await Promise.all(
    [1, 2].map((threads) => openCompute({ threads, bytes: 9 * ROWS * COLUMNS })),
  );
  const works = [two!, one!].map((compute) => prepare(compute, weights, importances(COLUMNS))('Q4_K', false));
  yield rates('Q4_K, 2 threads against 1', works[0]!, works[1]!);
  await Promise.all([one!.close(), two!.close()]);
}

function prepare(compute: Compute, weights: Float32Array, importance: Float32Array) {
  const source = compute.alloc(4 * weights.length);
  const target = compute.alloc(4 * weights.length);
  const weighing = compute.alloc(4 * importance.length);
  compute.floats(source, weights.length).set(weights);
  compute.floats(weighing, importance.length).set(importance);
  return (scheme: SchemeName, weighted: boolean) => () =>
    compute.run('transcode', {
      source,
      sourceScheme: SCHEMES.F32.ggmlType,
      sourceRowBytes: 4 * COLUMNS,
      target,
      targetScheme: SCHEMES[scheme].ggmlType,
      targetRowBytes: schemeBytes(scheme, COLUMNS),
      rows: ROWS,
      columns: COLUMNS,
      importance: weighted ? weighing : 0,
    });
}

function rates(what: string, run: () => void, runTheirs: () => void): Measurement {
  const { ours, baseline } = fastestInTurn(run, runTheirs);
  const perMillion = 1e6 / (ROWS * COLUMNS);
  return { what, ours: ours * perMillion, baseline: baseline * perMillion, unit: 'ms a million weights' };
}

interface Runs {
  readonly layers: number;
  readonly threads: string;
  readonly rounds: number;
  readonly recipes: readonly string[];
}

async function* conversions({ layers, threads, rounds, recipes }: Runs): AsyncGenerator<Measurement> {
  const folder = mkdtempSync(path.join(tmpdir(), 'plmpress-bench-'));
  try {
    const source = path.join(folder, 'plm');
    await writePlmCheckpoint(source, { layers });
    const plmpress = (recipe: string) => convertOnce(source, path.join(folder, 'ours'), recipe, threads);
    const bf16 = path.join(folder, 'bf16');
    await convertOnce(source, bf16, 'bf16', threads);
    const input = path.join(bf16, readdirSync(bf16).find((name) => name.endsWith('.gguf'))!);
    for (const recipe of recipes) {
      const { fileType } = recipeNamed(recipe);
      const output = path.join(folder, 'theirs.gguf');
      const ours: ProcessCost[] = [];
      const theirs: ProcessCost[] = [];
      for (let round = 0; round < rounds; round++) {
        theirs.push(await costOf('llama-quantize', [input, output, String(fileType), threads]));
        rmSync(output);
        ours.push(await plmpress(recipe));
        rmSync(path.join(folder, 'ours'), { recursive: true });
      }
      const what = `${recipe}, ${layers} layers, ${threads} threads`;
      yield compare(`${what}: wall`, ours, theirs, (cost) => cost.wallSeconds, 's');
      yield compare(`${what}: processor`, ours, theirs, (cost) => cost.cpuSeconds, 's');
      yield compare(`${what}: peak memory`, ours, theirs, (cost) => cost.peakBytes / 1e6, 'MB');
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function convertOnce(source: string, output: string, recipe: string, threads: string): Promise<ProcessCost> {
  const target = `gguf:${recipe}`;
  return costOf('plmpress', [
    ...['convert', source, '--to', target, '-o', output],
    ...['--threads', threads, '--quiet'],
  ]);
}

/** The best of all rounds on either side: what was done, not what disturbed it. */
function compare(
  what: string,
  ours: readonly ProcessCost[],
  theirs: readonly ProcessCost[],
  figure: (cost: ProcessCost) => number,
  unit: string,
): Measurement {
  const best = (costs: readonly ProcessCost[]) => Math.min(...costs.map(figure));
  return { what, ours: best(ours), baseline: best(theirs), unit };
}
