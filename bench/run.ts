import { cpus } from 'node:os';
import { benchKernels } from './kernels.ts';
import type { Measurement } from './measure.ts';

/** `npm run bench -- NAME`: prints ratios of figures measured side by side. */
const BENCHES: Readonly<Record<string, () => AsyncGenerator<Measurement>>> = {
  kernels: benchKernels,
};

const name = process.argv[2] ?? 'kernels';
const bench = BENCHES[name];
if (bench === undefined) {
  process.stderr.write(`no bench ${name}; there are: ${Object.keys(BENCHES).join(', ')}\n`);
  process.exitCode = 2;
} else {
  process.stdout.write(`${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.versions.node}\n`);
  for await (const { what, ours, baseline, unit } of bench()) {
    const figures = `${ours.toFixed(2)} against ${baseline.toFixed(2)} ${unit}`;
    process.stdout.write(`${what.padEnd(44)} ${figures.padEnd(32)} ratio ${(ours / baseline).toFixed(3)}\n`);
  }
}
