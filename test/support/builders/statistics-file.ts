import { COUNTS, SUMS } from '../../../formats/imatrix/gguf-form.ts';
import { EXTRA_SUFFIXES } from '../../../formats/imatrix/writer.ts';
import { SAMPLE_WORDS } from '../../../src/core/statistics.ts';
import { type GgufTensor, imatrixGguf } from './imatrix-files.ts';

const [WIDTH, HIDDEN] = [4, 3];

/** Tensors of statistics of two layers with four neurons each, as `plmpress calibrate` writes them. */
export function statisticsTensors(): GgufTensor[] {
  return [0, 1].flatMap((layer) => {
    const [up, down] = [`blk.${layer}.ffn_up.weight`, `blk.${layer}.ffn_down.weight`];
    const { firings, fired, sums, output, moments } = EXTRA_SUFFIXES;
    return [
      ...[tensor(up + SUMS, [1, HIDDEN]), tensor(up + COUNTS, [1, 1], 10)],
      ...[tensor(down + SUMS, [1, WIDTH]), tensor(down + COUNTS, [1, 1], 10)],
      ...[tensor(up + firings, [WIDTH]), tensor(up + fired, [WIDTH, SAMPLE_WORDS])],
      ...[tensor(down + sums, [WIDTH]), tensor(down + output, [HIDDEN])],
      ...[tensor(down + moments, [(WIDTH * (WIDTH + 1)) / 2])],
      ...[tensor(`blk.${layer}.attn_q.weight${EXTRA_SUFFIXES['extra-input']}`, [1, HIDDEN])],
    ];
  });
}

function tensor(name: string, shape: readonly number[], value = 2): GgufTensor {
  const count = shape.reduce((product, n) => product * n, 1);
  return { name, shape, values: Array<number>(count).fill(value) };
}

/** A file of the tensors, after a change of each that is named. */
export function statisticsFile(changes: Readonly<Record<string, Partial<GgufTensor>>> = {}): Uint8Array {
  return imatrixGguf(statisticsTensors().map((entry) => ({ ...entry, ...changes[entry.name] })));
}
