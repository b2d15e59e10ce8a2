import type { GgufArchitecture } from '../../../formats/gguf/architecture.ts';
import type { SchemeOptions } from '../../../formats/gguf/scheme-choice.ts';
import type { CacheForm } from '../../core/config.ts';
import type { Imatrix } from '../../core/imatrix.ts';
import type { Progress } from '../../core/jobs/progress.ts';
import type { Statistics } from '../../core/statistics.ts';
import type { Quality } from '../../passes/rounding/calibrated-rounding.ts';
import type { PassRequest } from '../../passes/run.ts';
import type { AllocationRequest } from '../allocation/request.ts';

/** How targets are planned. */
export interface TargetOptions extends SchemeOptions {
  /** Architecture of llama.cpp that a GGUF is for. Left out: `plm`. */
  readonly arch?: GgufArchitecture;
  /** What the KV cache of an ONNX graph holds. Left out: the latent. */
  readonly cache?: CacheForm;
  /** Rounding of weights; best: with error feedback. Left out: fast. */
  readonly quality?: Quality;
  /** Greatest size of a file in bytes; undefined: one file. */
  readonly shardSize?: number;
  /** Refuse instead of falling back to another scheme. */
  readonly strict?: boolean;
  /** Importances of columns, of the model before its passes. */
  readonly imatrix?: Imatrix;
  /** Statistics of the model before its passes, which passes may use. */
  readonly statistics?: Statistics;
  /** Choose the schemes of a GGUF by its size. */
  readonly allocation?: AllocationRequest;
  /** Passes to run first, in this order; those that the format needs follow. */
  readonly passes?: readonly PassRequest[];
  /** Passes that the format needs, but that must not run. */
  readonly withoutPasses?: readonly string[];
  /** Threads of the passes. Left out: as many as their work is worth. */
  readonly threads?: number | undefined;
  /** Told how far the passes are. */
  readonly progress?: Progress | undefined;
  /** Ends the passes. */
  readonly signal?: AbortSignal | undefined;
  /** Accept a quantized source whose tensors are rounded again. */
  readonly allowRequantize?: boolean;
}
