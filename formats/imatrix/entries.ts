import path from 'node:path';
import { invalidInput } from '../../src/core/errors.ts';
import { firstNames } from '../../src/core/text/name-list.ts';

/**
 * What a file says of one matrix: sums of squared activations by column, and how many activations a sum has.
 */
export interface RawEntry {
  /** GGUF name of the matrix. */
  readonly name: string;
  readonly sums: Float32Array;
  /** One for each of the equal parts of `sums`: experts lie behind one another. */
  readonly counts: Float32Array;
}

/**
 * Divides sums by counts. Parts that count nothing and entries that are zero in all columns would weigh every
 * error with zero: their columns get the importance 1 all alike.
 * @throws PressError invalid-input for sums and counts that are negative or not finite.
 */
export function meanSquares(file: string, raw: readonly RawEntry[]) {
  const entries = new Map<string, Float32Array>();
  const blank: string[] = [];
  for (const { name, sums, counts } of raw) {
    assertUsable(file, `${name}: counts`, counts);
    assertUsable(file, `${name}: sums`, sums);
    const columns = sums.length / counts.length;
    const isCounted = counts.some((count) => count > 0);
    const values = sums.map((sum, i) => {
      const count = counts[Math.floor(i / columns)]!;
      return count === 0 ? 1 : sum / count;
    });
    assertUsable(file, `${name}: means`, values);
    // Sums of some 1e-45 vanish when they are divided.
    const isBlank = !isCounted || values.every((value) => value === 0);
    if (isBlank) blank.push(name);
    entries.set(name, isBlank ? values.fill(1) : values);
  }
  return { entries, notes: blank.length === 0 ? [] : [blankNote(file, blank)] };
}

function assertUsable(file: string, field: string, values: Float32Array): void {
  const index = values.findIndex((value) => !(value >= 0 && value < Infinity));
  if (index < 0) return;
  const expected = 'a finite number from 0 up';
  throw invalidInput({ file, field: `${field}[${index}]`, what: 'value', got: values[index], expected });
}

function blankNote(file: string, names: readonly string[]): string {
  const what = names.length === 1 ? '1 entry has' : `${names.length} entries have`;
  return `${file}: ${what} seen no activations, so all columns weigh the same in ${firstNames(names)}`;
}

/** llama-imatrix writes paths as it was given them, of any system. */
export function datasetName(given: string): string {
  return path.win32.basename(given);
}
