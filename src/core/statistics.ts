import type { PlmConfig } from './config.ts';

/** Activations of one layer's FFN, h = relu(up_proj x)^2, over the tokens of a calibration. */
export interface NeuronStatistics {
  /** Tokens by which a neuron is above zero. */
  readonly firings: Float32Array;
  /** E[h]. */
  readonly means: Float32Array;
  /** E[h^2]. */
  readonly meanSquares: Float32Array;
  /**
   * Which of at most `SAMPLED_TOKENS` tokens, spread over the text, set a neuron off: `SAMPLE_WORDS` words of
   * 16 tokens per neuron, the first token lowest.
   */
  readonly fired: Uint16Array;
  /** E[y^2] of every channel of y = down_proj h. */
  readonly outputSquares: Float32Array;
}

export const SAMPLED_TOKENS = 1024;
export const SAMPLE_WORDS = SAMPLED_TOKENS / 16;

/** Second moments of a matrix's inputs. They are read when asked for: those of 8,192 channels have 134 MB. */
export interface Moments {
  readonly size: number;
  /** E[x_i x_j] for all i and j of `order`, j not behind i: a lower triangle, row by row, in f64. */
  triangle(order: ArrayLike<number>, signal?: AbortSignal): Promise<Float64Array>;
}

/** The results of a calibration. Matrices have their GGUF names. */
export interface Statistics {
  /** Base name of the file, never a path. */
  readonly name: string;
  /** SHA-256 of the file in hex. */
  readonly sha256: string;
  /** Tokens read, each as often as its text weighs. */
  readonly tokens: number;
  /** Mean squares of what each column is multiplied with. */
  readonly meanSquares: ReadonlyMap<string, Float32Array>;
  /** By layer. */
  readonly neurons: readonly NeuronStatistics[];
  readonly moments: ReadonlyMap<string, Moments>;
}

/** Whether statistics are those of a model of this geometry. */
export function describesGeometry({ neurons }: Statistics, { intermediateSizes }: PlmConfig): boolean {
  return (
    neurons.length === intermediateSizes.length &&
    neurons.every(({ firings }, layer) => firings.length === intermediateSizes[layer])
  );
}
