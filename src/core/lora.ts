import type { SourceFile } from './model.ts';
import type { Tensor } from './tensor.ts';

/** What an adapter adds to one matrix: scale * B A. */
export interface LoraPair {
  /** `[rank, in_features]`. */
  readonly a: Tensor;
  /** `[out_features, rank]`. */
  readonly b: Tensor;
  readonly scale: number;
}

/** A low-rank adapter (LoRA, arXiv 2106.09685). Holds open files until closed. */
export interface LoraAdapter {
  /** Name of its folder. */
  readonly name: string;
  /** By the Hugging Face name of the matrix. */
  readonly pairs: ReadonlyMap<string, LoraPair>;
  readonly files: readonly SourceFile[];
}
