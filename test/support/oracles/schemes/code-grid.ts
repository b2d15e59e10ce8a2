/**
 * What the codes of an encoded block stand for, and how they are exchanged one by one, while its scales stay:
 * rounding with error feedback chooses the codes of a column when those before it are known. `block` is the
 * offset of a block in bytes, `group` counts 16 weights, `index` weights of the block.
 */
export interface CodeGrid {
  /** Codes are 0 .. `largestCode`; a weight is step * code - min. */
  readonly largestCode: number;
  /** What a code counts for instead of itself. */
  readonly levels?: Int8Array;
  stepOf(source: Uint8Array, block: number, group: number): number;
  minOf(source: Uint8Array, block: number, group: number): number;
  setCode(target: Uint8Array, block: number, index: number, code: number): void;
}
