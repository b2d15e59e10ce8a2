import type { SourceFile } from './model.ts';
import type { Tensor } from './tensor.ts';

/** Where PEFT says how an adapter is added to its model. */
export const ADAPTER_CONFIG = 'adapter_config.json';

/** The change of one matrix W by an adapter: it becomes W + scale * B A. */
export interface LoraPair {
  /** `[rank, in_features]`. */
  readonly a: Tensor;
  /** `[out_features, rank]`. */
  readonly b: Tensor;
  readonly scale: number;
  /** Of DoRA: the length (2-norm) that each row of the sum is scaled to, `[out_features]`. */
  readonly lengths?: Tensor;
}

/** A low-rank adapter (LoRA, arXiv 2106.09685). Holds open files until closed. */
export interface LoraAdapter {
  /** Name of its folder. */
  readonly name: string;
  /** By the Hugging Face name of the matrix. */
  readonly pairs: ReadonlyMap<string, LoraPair>;
  readonly files: readonly SourceFile[];
}
