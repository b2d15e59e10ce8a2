import { readFileSync } from 'node:fs';
import path from 'node:path';
import { repoRoot } from '../../test/support/paths.ts';
import type { Claim } from './claim.ts';

/** What a line of bench/results compares. */
interface Row {
  readonly what: string;
  readonly ours: number;
  readonly baseline: number;
}

/** A figure in a pattern. */
const N = '([\\d.,]+)';
const COST = `${N} s against ${N} s: ${N}`;
const MEMORY = `${N} MB against ${N} MB: ${N}`;
const RECIPES = ['q3_k_m', 'q4_k_m', 'q5_k_m'] as const;
/** Ours, then what stands beside it, in the order of the columns. */
const GRAPHS = ['mobius', 'plain expanded', 'llama.cpp'] as const;
const CELLS = `\\| ${N} \\| ${N} \\| ${N} \\| ${N} \\|`;

/**
 * Figures that take minutes to measure, or that a machine decides: documents state what `npm run bench -- NAME --save` has written to
 * bench/results. Where nothing else is said, its last run counts.
 */
export const RECORDED_CLAIMS: readonly Claim[] = [
  ...['q4_k_m', 'q6_k', 'q8_0'].map((recipe) =>
    recorded('docs/gguf.md', `\\| ${recipe} \\| ${COST} \\| ${COST} \\| ${MEMORY}`, () =>
      ['wall', 'processor', 'peak memory'].flatMap((what) => inFull(quantized(recipe, what))),
    ),
  ),
  recorded(
    'docs/gguf.md',
    `take ${N} \\(IQ4_NL, .* to ${N} \\(Q4_1 .*K-quants ${N} to ${N}, of its time`,
    () => ['IQ4_NL', 'Q4_1', 'Q5_K', 'Q3_K'].map((scheme) => ratio(row('quantize', `${scheme}, 1 thread`))),
  ),
  recorded('docs/gguf.md', `Two threads take ${N} times the time of one`, () => [
    ratio(row('quantize', 'Q4_K, 2 threads against 1')),
  ]),
  recorded('README.md', `to \`q4_k_m\` .*\\| ${N} of the time, ${N} of the memory`, () =>
    ['wall', 'peak memory'].map((what) => ratio(quantized('q4_k_m', what))),
  ),

  recorded('docs/scale.md', `3\\.6 GB \\| 1 \\| ${N} MB \\| ${N} s a GB`, () =>
    ['peak memory', 'time'].map((what) => scaled(what).baseline),
  ),
  recorded('docs/scale.md', `100 GB .*\\| ${N} MB \\(${N} times\\) \\| ${N} s a GB \\(${N} times\\)`, () =>
    ['peak memory', 'time'].flatMap((what) => [scaled(what).ours, ratio(scaled(what))]),
  ),
  recorded('README.md', `one of 3\\.6 GB \\| ${N} times the memory`, () => [ratio(scaled('peak memory'))]),

  recorded('docs/quantization.md', `its mean KLD, .*\\| ${N} \\| ${N} \\| ${N} \\|`, () =>
    RECIPES.map((recipe) => rounded(recipe, 'error feedback').baseline),
  ),
  ...Object.entries({
    'without importances': 'neither importances nor feedback',
    'error feedback \\(': 'error feedback',
    'the same after ': 'error feedback, scales of inputs and neurons',
    'schemes by size alone': 'schemes by size',
    '\\*\\*error feedback and schemes by size': 'error feedback, schemes by size',
  }).map(([label, lever]) =>
    recorded(
      'docs/quantization.md',
      `\\| ${label}.*${`\\| \\**${N}\\** \\(${N} to ${N}\\) `.repeat(RECIPES.length)}`,
      () => RECIPES.flatMap((recipe) => withInterval(rounded(recipe, lever))),
    ),
  ),
  recorded('README.md', `at equal bytes .*\\| ${N} of the divergence`, () => [
    ratio(rounded('q4_k_m', 'error feedback, schemes by size')),
  ]),

  recorded('docs/webgpu.md', `neurons listed \\| ${N} ms \\| ${N} ms \\| ${N} times`, () =>
    faster(row('webgpu', 'down_proj, 90 % zeros: all')),
  ),
  recorded('docs/webgpu.md', `product by rows \\| ${N} ms \\| ${N} ms \\| ${N} times`, () =>
    faster(row('webgpu', 'down_proj, 90 % zeros: product')),
  ),
  recorded('docs/webgpu.md', `cache read \\| ${N} MB \\| ${N} MB expanded \\| ${N} times`, () => {
    const { what, ours, baseline } = row('webgpu', 'attention, 4096 tokens: cache read');
    return faster({ what, ours: ours / 1e6, baseline: baseline / 1e6 });
  }),
  recorded('docs/webgpu.md', `the same: time \\| ${N} ms \\| ${N} ms expanded \\| ${N} times`, () =>
    inFull(row('webgpu', 'attention, 4096 tokens: expanded$')),
  ),
  recorded('docs/webgpu.md', `onnx:q4 on WebGPU \\| ${N} \\| ${N} \\| ${N} times`, () =>
    inFull(row('webgpu', 'plm-tiny q4 in Chromium: onnx')),
  ),
  recorded('docs/webgpu.md', `on the CPU \\| ${N} \\| ${N} \\| ${N} times slower`, () =>
    faster(row('webgpu', 'plm-tiny q4 in Chromium: gguf')),
  ),
  recorded('README.md', `90 % of its neurons silent .*\\| ${N} times faster`, () =>
    faster(row('webgpu', 'down_proj, 90 % zeros: all')).slice(2),
  ),

  ...['q4', 'q8'].map((scheme) =>
    recorded(
      'docs/onnx.md',
      `\\| ${scheme} \\(llama.cpp.*, 16 tokens ${CELLS}\\n\\| 1,024 tokens ${CELLS}\\n\\| 4,000 tokens ${CELLS}`,
      () => [16, 1024, 4000].flatMap((past) => token(scheme, past, 'time')),
    ),
  ),
  recorded(
    'docs/onnx.md',
    `memory of the process at 4,000 tokens, q4 ${CELLS.replaceAll(' \\|', ' GB \\|')}`,
    () => token('q4', 4000, 'memory').map((megabytes) => megabytes / 1000),
  ),
  recorded('docs/onnx.md', `latent cache is ${N} \\(q4\\) and ${N} \\(q8\\) times as fast`, () =>
    ['q4', 'q8'].map((scheme) => 1 / ratio(graph(scheme, 4000, 'time', 'mobius'))),
  ),
];

function recorded(file: string, pattern: string, figures: () => readonly number[]): Claim {
  return { file, pattern: new RegExp(pattern), measure: async () => figures(), tolerance: 0 };
}

function quantized(recipe: string, what: string): Row {
  return row('quantize', `${recipe}, 32 layers, 2 threads: ${what}`);
}

function scaled(what: string): Row {
  return row('scale', `${what}.*, 100.1 GB against 3.6 GB`);
}

function rounded(recipe: string, lever: string): Row {
  return row('quality', `${recipe}, .* bytes: ${lever} \\(`);
}

/** The first of two runs, which had the machine more to itself. */
function graph(scheme: string, past: number, what: string, beside: string): Row {
  return row('onnx', `${scheme}, 8 layers, 2 threads, behind ${past}: ${what}, ${beside}`, 0);
}

/** Of one token, ours first. */
function token(scheme: string, past: number, what: string): number[] {
  const rows = GRAPHS.map((beside) => graph(scheme, past, what, beside));
  return [rows[0]!.ours, ...rows.map(({ baseline }) => baseline)];
}

/** One line of bench/results/NAME.csv, by what it compares. */
function row(name: string, what: string, run = -1): Row {
  const text = readFileSync(path.join(repoRoot, 'bench', 'results', `${name}.csv`), 'utf8');
  const rows = text.split('\n').map((line) => {
    const [, , , what = '', ours, baseline] = line.match(/"[^"]*"|[^,]+/g) ?? [];
    return { what: what.replaceAll('"', ''), ours: Number(ours), baseline: Number(baseline) };
  });
  const found = rows.filter((row) => new RegExp(`^${what}`).test(row.what)).at(run);
  if (found === undefined) throw new Error(`bench/results/${name}.csv has no ${what}`);
  return found;
}

function ratio({ ours, baseline }: Row): number {
  return ours / baseline;
}

function inFull(row: Row): number[] {
  return [row.ours, row.baseline, ratio(row)];
}

/** As in `inFull`, where the document says how many times less ours is. */
function faster(row: Row): number[] {
  return [row.ours, row.baseline, 1 / ratio(row)];
}

/** The ratio and the interval that its line tells. */
function withInterval(row: Row): number[] {
  const [, low, high] = /\(([\d.]+) to ([\d.]+)\)$/.exec(row.what)!;
  return [ratio(row), Number(low), Number(high)];
}
