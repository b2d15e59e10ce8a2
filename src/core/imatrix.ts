/**
 * Importances of the columns of matrices: mean squares of the activations that multiply them, from a file.
 */
export interface Imatrix {
  /** Base name of the file, never a path. */
  readonly name: string;
  /** SHA-256 of the file in hex. */
  readonly sha256: string;
  /** By the GGUF name of the matrix, one finite value of at least 0 per column. */
  readonly entries: ReadonlyMap<string, Float32Array>;
  /** Base names of the texts that the activations come from. */
  readonly datasets: readonly string[];
  /** Pieces of text that the activations come from; undefined if the file does not say. */
  readonly chunks: number | undefined;
  /** What the reader assumed, one line each. */
  readonly notes: readonly string[];
}
