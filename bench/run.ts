import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync } from 'node:fs';
import { cpus } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { benchBest } from './best.ts';
import { benchCalibrate } from './calibrate.ts';
import { benchFeedback } from './feedback.ts';
import { benchFfn } from './ffn.ts';
import { benchGgufArch } from './gguf-arch.ts';
import { benchKernels } from './kernels.ts';
import type { Measurement } from './measure.ts';
import { benchOnnx } from './onnx.ts';
import { benchPrefill } from './prefill.ts';
import { benchPrune } from './prune.ts';
import { benchQuality } from './quality.ts';
import { benchQuantize } from './quantize.ts';
import { benchScale } from './scale.ts';
import { benchWebgpu } from './webgpu.ts';

/**
 * `npm run bench -- NAME [--save] …`: prints ratios of figures measured side by side. With `--save` they are
 * appended to bench/results/NAME.csv.
 */
const BENCHES: Readonly<Record<string, (argv: readonly string[]) => AsyncGenerator<Measurement>>> = {
  best: benchBest,
  feedback: benchFeedback,
  ffn: benchFfn,
  calibrate: benchCalibrate,
  'gguf-arch': benchGgufArch,
  kernels: benchKernels,
  quality: benchQuality,
  quantize: benchQuantize,
  onnx: benchOnnx,
  prefill: benchPrefill,
  prune: benchPrune,
  scale: benchScale,
  webgpu: benchWebgpu,
};

const [name = 'kernels', ...rest] = process.argv.slice(2);
const bench = BENCHES[name];
const isSaved = rest.includes('--save');
const results = fileURLToPath(new URL('../../bench/results', import.meta.url));
// Known before the first row is written, which changes a file.
const measuredCommit = commit(fileURLToPath(new URL('../..', import.meta.url)));
const processor = cpus()[0]?.model ?? 'unknown processor';

if (bench === undefined) {
  process.stderr.write(`no bench ${name}; there are: ${Object.keys(BENCHES).join(', ')}\n`);
  process.exitCode = 2;
} else {
  process.stdout.write(`${processor}, Node ${process.versions.node}\n`);
  for await (const measurement of bench(rest.filter((argument) => argument !== '--save'))) {
    const { what, ours, baseline, unit } = measurement;
    const figures = `${figure(ours)} against ${figure(baseline)} ${unit}`;
    process.stdout.write(`${what.padEnd(48)} ${figures.padEnd(40)} ratio ${(ours / baseline).toFixed(3)}\n`);
    if (isSaved) save(measurement);
  }
}

function save({ what, ours, baseline, unit }: Measurement): void {
  const file = path.join(results, `${name}.csv`);
  mkdirSync(results, { recursive: true });
  if (!existsSync(file)) appendFileSync(file, 'date,commit,processor,node,what,ours,baseline,unit,ratio\n');
  const date = new Date().toISOString().slice(0, 10);
  const row = [
    date,
    measuredCommit,
    processor,
    process.versions.node,
    what,
    ours.toPrecision(4),
    baseline.toPrecision(4),
    unit,
  ];
  const quoted = [...row, (ours / baseline).toFixed(3)].map((cell) =>
    /[,"]/.test(cell) ? `"${cell}"` : cell,
  );
  appendFileSync(file, `${quoted.join(',')}\n`);
}

/** Of the code that was measured, with `-dirty` where files differ from it. */
function commit(cwd: string): string {
  const argv = ['describe', '--always', '--dirty', '--abbrev=10', '--exclude=*'];
  return execFileSync('git', argv, { cwd, encoding: 'utf8' }).trim();
}

/** Two decimals, or three digits of what is small. */
function figure(value: number): string {
  return value < 1 ? value.toPrecision(3) : value.toFixed(2);
}
