import { exponentOf, powerOfTwo } from '../core/elementary/binary-exponent.ts';
import { SCHEMES, type SchemeName } from '../core/scheme.ts';

/** Least importance of a group beside its block, and of a column beside its group. */
const LEAST_GROUP = 2 ** -32;
const LEAST_COLUMN = 2 ** -60;
/** What is less beside the group than this, which activations of models are not, counts for nothing. */
const VANISHING = 2 ** -40;
/**
 * Least importance of a column in a group of which less than a quarter counts: its scale would be that of a
 * few weights.
 */
const LEAST_OF_SPARSE = 2 ** -10;

/**
 * Importances that a search for scales can use: it takes products of three in f32, and where all of them
 * vanish or one overflows, it finds the scale 0 or none, and the weights of the group are lost. A block is
 * multiplied by a power of two, which changes no choice inside it, so that its largest importance lies in [1,
 * 2); groups and columns that would vanish beside that are raised to where they do not, and a group without
 * any importance gets the same for all. Bytes are those of ggml's quantizers wherever a quarter of the
 * columns of every group counts.
 */
export function usableImportances(importances: Float32Array, scheme: SchemeName): Float32Array {
  const { blockSize, groupSize } = SCHEMES[scheme];
  if (blockSize === 1) return importances;
  const usable = new Float32Array(importances.length);
  for (let first = 0; first < usable.length; first += blockSize) {
    const block = importances.subarray(first, first + blockSize);
    const largest = largestOf(block);
    const scale = largest === 0 ? 1 : powerOfTwoFor(largest);
    for (let at = 0; at < block.length; at += groupSize) {
      const group = block.subarray(at, at + groupSize);
      fillGroup(group, scale, usable.subarray(first + at, first + at + group.length));
    }
  }
  return usable;
}

function fillGroup(group: Float32Array, scale: number, usable: Float32Array): void {
  const largest = scale * largestOf(group);
  if (largest === 0) {
    usable.fill(LEAST_GROUP);
    return;
  }
  const raised = largest < LEAST_GROUP ? scale * LEAST_GROUP * powerOfTwoFor(largest) : scale;
  const most = raised * largestOf(group);
  const counting = group.reduce((sum, value) => sum + (raised * value >= VANISHING * most ? 1 : 0), 0);
  const least = most * (4 * counting < group.length ? LEAST_OF_SPARSE : LEAST_COLUMN);
  for (let i = 0; i < group.length; i++) usable[i] = Math.max(least, raised * group[i]!);
}

function largestOf(values: Float32Array): number {
  return values.reduce((largest, value) => Math.max(largest, value), 0);
}

/** The power of two that brings a positive number of f32, which is a normal number of f64, into [1, 2). */
function powerOfTwoFor(value: number): number {
  return powerOfTwo(-exponentOf(value));
}
