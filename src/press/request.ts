import type { Share } from '../pipeline/parts/share.ts';
import type { TargetOptions } from '../pipeline/planning/target-options.ts';

/**
 * What a conversion shall make, of what and how. What is left out has the default of the same flag of
 * `plmpress convert`.
 */
export interface PressRequest {
  /** Checkpoint folder, GGUF file, artifact folder, or a model on the Hub as `org/name[@revision]`. */
  readonly source: string;
  /** As `gguf:q8_0`, `onnx:q4` or `webgpu:q4`. All are written, or none. */
  readonly targets: readonly string[];
  /** Folder; created where missing. */
  readonly output: string;
  /** How targets are planned. */
  readonly options?: Omit<TargetOptions, 'imatrix' | 'statistics' | 'allocation' | 'signal'> | undefined;
  /** LoRA adapters that are merged into the source, first to last: folders of PEFT, or such on the Hub. */
  readonly adapters?: readonly string[] | undefined;
  /** File of importances, as llama-imatrix writes it. */
  readonly imatrix?: string | undefined;
  /** File of statistics, as `calibrate` writes it. */
  readonly statistics?: string | undefined;
  /** Files of texts that verification and the choice of schemes read. Left out: a short built-in text. */
  readonly texts?: readonly string[] | undefined;
  /** Most bytes of the GGUF, whose schemes are chosen by it. */
  readonly targetSize?: number | undefined;
  /** FFN widths that may be pruned to for `targetSize`. */
  readonly ffnWidths?: readonly number[] | undefined;
  /** File to write the schemes to that were chosen for `targetSize`. */
  readonly saveSchemes?: string | undefined;
  /** Such a file, to take the schemes from. */
  readonly schemes?: string | undefined;
  /** Read a model on the Hub while it is converted, with no copy on this machine. */
  readonly stream?: boolean | undefined;
  /** Do this share of the conversion only, for `merge`. */
  readonly share?: Share | undefined;
  /** Plan with exact sizes, write nothing. */
  readonly dryRun?: boolean | undefined;
  /** Replace existing files. */
  readonly force?: boolean | undefined;
  /** Keep what is done when the run is interrupted, and go on with what such a run has left. */
  readonly resume?: boolean | undefined;
  readonly threads?: number | undefined;
  /** Most bytes that the process may hold. */
  readonly maxMemory?: number | undefined;
  /** Compare the artifacts with the source afterwards. */
  readonly verify?: boolean | undefined;
  /** Most mean KLD in nats per token of a sound artifact. Left out: by the coarsest scheme. */
  readonly maxKld?: number | undefined;
  /** Files to write reports of the verification to, `.html` or `.md`. */
  readonly reports?: readonly string[] | undefined;
}
