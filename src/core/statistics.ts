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
  /**
   * Fills `into`, left out: a new array, with E[x_i x_j] for all i and j of `order`, j not behind i: a lower
   * triangle, row by row, in f64.
   */
  triangle(order: ArrayLike<number>, signal?: AbortSignal, into?: Float64Array): Promise<Float64Array>;
}

/** Entries of a symmetric matrix of `n` rows, those above the diagonal left out. */
export function triangleSize(n: number): number {
  return (n * (n + 1)) / 2;
}

/** The `n` of `triangleSize`; no integer where there is none. */
export function triangleChannels(entries: number): number {
  return (Math.sqrt(8 * entries + 1) - 1) / 2;
}

/** What is known of the inputs of a matrix, heads one after another. */
export interface InputStatistics {
  readonly channels: number;
  /**
   * Statistics that a calibration has yet to measure must be read in ascending order of this; those of a file
   * have 0.
   */
  readonly turn: number;
  /** E[x^2] of every channel. */
  meanSquares(signal?: AbortSignal): Promise<Float32Array>;
  /** Left out where none were gathered. */
  readonly moments?: Moments;
}

/** Tells texts from others. */
export interface TextIdentity {
  readonly name: string;
  /** Of the tokens, in hex. */
  readonly sha256: string;
}

/** What statistics come from, as artifacts name it: the text or, of older files, the file. */
export function originOf({ name, sha256, text = { name, sha256 } }: Statistics): string {
  return `${text.name} ${text.sha256}`;
}

/** The results of a calibration. Matrices have their GGUF names. */
export interface Statistics {
  /** Base name of the file, or of the texts; never a path. */
  readonly name: string;
  /** SHA-256 of the file, or of the tokens that will be read, in hex. */
  readonly sha256: string;
  /** The text that was read, if that is known: names and SHA-256 of the tokens. */
  readonly text?: TextIdentity;
  /** Tokens of a text that is read only when the statistics are. Left out for those of a file. */
  readonly unread?: number;
  /** Tokens read, each as often as its text weighs. */
  readonly tokens: number;
  /** By matrix. */
  readonly inputs: ReadonlyMap<string, InputStatistics>;
  /** Neurons of the FFN, by layer. */
  readonly widths: readonly number[];
  /** By layer; undefined until a calibration that is under way has measured all of them. */
  neurons(): readonly NeuronStatistics[] | undefined;
  /** Measures the neurons that have not been measured yet. Left out where all have been. */
  finish?(): Promise<void>;
}

/** Whether statistics are those of a model of this geometry. */
export function describesGeometry({ widths }: Statistics, { intermediateSizes }: PlmConfig): boolean {
  return widths.join() === intermediateSizes.join();
}
