import { exact, type Source } from '../source.ts';
import { inFull, inverse, lastRun, type Row, range, ratio, readRows, runsOf } from './rows.ts';

const RECIPES = ['q3_k_m', 'q4_k_m', 'q5_k_m'] as const;
/** What stands beside our graph, in the order of the columns. */
const GRAPHS = ['mobius', 'plain expanded', 'llama.cpp'] as const;

/** What marks call the ways of rounding that bench quality compares. */
const LEVERS: Readonly<Record<string, string>> = {
  plain: 'neither importances nor feedback',
  alone: 'error feedback alone',
  refit: 'error feedback and refit',
  descent: 'error feedback and descent',
  'no-shrinkage': 'error feedback without shrinkage',
  feedback: 'error feedback',
  'few-tokens': 'error feedback by 2048 tokens',
  scales: 'error feedback, scales of inputs and neurons',
  schemes: 'schemes by size',
  both: 'error feedback, schemes by size',
};

/**
 * Figures that take minutes to measure, or that a machine decides: documents state what
 * `npm run bench -- NAME --save` has written to bench/results. Where nothing else is said, its last run
 * counts.
 */
export const RECORDED_SOURCES: Readonly<Record<string, Source>> = {
  /** `quantize RECIPE`: wall time, processor time and memory, each ours, llama.cpp's and the ratio. */
  quantize: exact(([recipe]) => QUANTITIES.flatMap((what) => inFull(quantized(recipe, what)))),
  /** `quantize-ratios RECIPE`: of wall time and memory. */
  'quantize-ratios': exact(([recipe]) =>
    ['wall', 'peak memory'].map((what) => ratio(quantized(recipe, what))),
  ),
  /** `encoders`: ratios, the least and the greatest of all, then of K-quants. */
  encoders: exact(() => {
    const rows = readRows('quantize').filter(({ what }) => what.endsWith(', 1 thread'));
    const kQuants = rows.filter(({ what }) => /^Q\d_K\b/.test(what));
    return [...range(rows.map(ratio)), ...range(kQuants.map(ratio))];
  }),
  /** `two-threads`: their time by that of one. */
  'two-threads': exact(() => [ratio(lastRun('quantize', 'Q4_K, 2 threads against 1'))]),

  /** `scale FIGURE…`. */
  scale: exact((figures) => figures.map((figure) => scaleFigures()[figure]!)),

  /** `best`: tokens, minutes of `--quality best` and of `calibrate`, the ratio, and GB of memory of the first. */
  best: exact(() => {
    const wall = lastRun('best', 'wall, 32 layers');
    const [ours = 0, baseline = 0, times = 0] = inFull(wall);
    const tokens = Number(/(\d+) tokens/.exec(wall.what)![1]);
    return [tokens, ours / 60, baseline / 60, times, lastRun('best', 'peak memory, 32 layers').ours / 1000];
  }),

  /** `quality-bytes`: of the recipes. */
  'quality-bytes': exact(() =>
    RECIPES.map((recipe) => Number(/of (\d+) bytes/.exec(rounded(recipe, 'feedback').what)![1])),
  ),
  /** `quality-recipes`: their mean KLD. */
  'quality-recipes': exact(() => RECIPES.map((recipe) => rounded(recipe, 'feedback').baseline)),
  /** `quality LEVER`: its divergence by that of each recipe, and the interval. */
  quality: exact(([lever = '']) => RECIPES.flatMap((recipe) => withInterval(rounded(recipe, lever)))),
  /** `quality-target TARGET`: mean KLD of plain rounding, then the ratio of error feedback and its interval. */
  'quality-target': exact(([target = '']) => {
    const row = rounded(target, 'feedback');
    return [row.baseline, ...withInterval(row)];
  }),
  /** `quality-ratio RECIPE LEVER`. */
  'quality-ratio': exact(([recipe = '', lever = '']) => [ratio(rounded(recipe, lever))]),

  /** `prune CASE`: mean KLD. */
  prune: exact(([options = '']) => [lastRun('prune', options).ours]),

  /** `down_proj all|product`: ms of ours and of what stands beside it, and how many times faster. */
  down_proj: exact(([what]) => inverse(lastRun('webgpu', `down_proj, 90 % zeros: ${what}`))),
  /**
   * `down_proj-runs`: how many times faster than with all neurons, the least and the greatest of all runs.
   */
  'down_proj-runs': exact(() =>
    range(runsOf('webgpu', 'down_proj, 90 % zeros: all').map((row) => 1 / ratio(row))),
  ),
  /** `cache-read`: MB of the latent and of the expanded cache, and the ratio. */
  'cache-read': exact(() => {
    const [ours = 0, baseline = 0, times = 0] = inverse(
      lastRun('webgpu', 'attention, 4096 tokens: cache read'),
    );
    return [ours / 1e6, baseline / 1e6, times];
  }),
  /** `attention`: ms over the latent and over the expanded cache, and the ratio. */
  attention: exact(() => inFull(lastRun('webgpu', 'attention, 4096 tokens: expanded$'))),
  /**
   * `chromium onnx|gguf`: tokens per second of ours and of what stands beside it, and how many times that is.
   */
  chromium: exact(([beside]) => {
    const row = lastRun('webgpu', `plm-tiny q4 in Chromium: ${beside}`);
    return beside === 'onnx' ? inFull(row) : inverse(row);
  }),

  /** `onnx SCHEME TOKENS`: the tokens, and ms of one more of the four engines, in the first run. */
  onnx: exact(([scheme = '', past = '']) => [Number(past), ...ofEngines(scheme, past, 'time')]),
  /** `onnx-memory SCHEME TOKENS`: the same in GB of the process. */
  'onnx-memory': exact(([scheme = '', past = '']) => [
    Number(past),
    ...ofEngines(scheme, past, 'memory').map((megabytes) => megabytes / 1000),
  ]),
  /** `onnx-faster SCHEME TOKENS`: than with an expanded cache, the least and the greatest of all runs. */
  'onnx-faster': exact(([scheme = '', past = '']) =>
    range(graphRuns(scheme, past, 'time', 'mobius').map((row) => 1 / ratio(row))),
  ),
  /** `onnx-slower BESIDE TOKENS`: than that, the least and the greatest of all schemes and runs. */
  'onnx-slower': exact(([beside = '', past = '']) =>
    range(['q4', 'q8'].flatMap((scheme) => graphRuns(scheme, past, 'time', beside)).map(ratio)),
  ),
};

const QUANTITIES = ['wall', 'processor', 'peak memory'] as const;

function quantized(recipe: string | undefined, what: string): Row {
  return lastRun('quantize', `${recipe}, 32 layers, 2 threads: ${what}`);
}

/** GB, MB and seconds per GB of both checkpoints, and the ratios. */
function scaleFigures(): Readonly<Record<string, number>> {
  const memory = lastRun('scale', 'peak memory, gguf:q4_k_m');
  const time = lastRun('scale', 'time a gigabyte, gguf:q4_k_m');
  const [, large, small] = /([\d.]+) GB against ([\d.]+) GB/.exec(memory.what)!.map(Number);
  return {
    'large-size': large!,
    'small-size': small!,
    'large-memory': memory.ours,
    'small-memory': memory.baseline,
    'memory-ratio': ratio(memory),
    'large-time': time.ours,
    'small-time': time.baseline,
    'time-ratio': ratio(time),
  };
}

function rounded(recipe: string, lever: string): Row {
  const found = readRows('quality').findLast(
    ({ what }) => what.startsWith(`${recipe}, `) && what.includes(`bytes: ${LEVERS[lever]} (`),
  );
  if (found === undefined) throw new Error(`bench/results/quality.csv has no ${recipe} with ${lever}`);
  return found;
}

/** The ratio and the interval that its line tells. */
function withInterval(row: Row): number[] {
  const [, low, high] = /\(([\d.]+) to ([\d.]+)\)$/.exec(row.what)!;
  return [ratio(row), Number(low), Number(high)];
}

function graphRuns(scheme: string, past: string, what: string, beside: string): readonly Row[] {
  return runsOf('onnx', `${scheme}, 8 layers, 2 threads, behind ${past}: ${what}, ${beside}`);
}

/** Ours first. The first of the runs had the machine more to itself. */
function ofEngines(scheme: string, past: string, what: string): number[] {
  const rows = GRAPHS.map((beside) => graphRuns(scheme, past, what, beside)[0]!);
  return [rows[0]!.ours, ...rows.map(({ baseline }) => baseline)];
}
