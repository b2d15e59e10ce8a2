import type { Share } from '../pipeline/parts/share.ts';
import type { TargetOptions } from '../pipeline/planning/target-options.ts';

/**
 * A conversion: from which source, to which targets, and how. A member that is left out has the default of
 * the same flag of `plmpress convert`.
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
  /** Importance matrix of llama-imatrix or `calibrate`. */
  readonly imatrix?: string | undefined;
  /** File of statistics, as `calibrate` writes it. Left out: the quality `best` measures its own. */
  readonly statistics?: string | undefined;
  /**
   * Text files: what the quality `best` reads where there are no statistics; otherwise what verification and
   * the choice of schemes read. Left out: built-in texts.
   */
  readonly texts?: readonly string[] | undefined;
  /** Most tokens that the quality `best` reads. Left out: all. */
  readonly calibrationTokens?: number | undefined;
  /** Maximum size of the GGUF in bytes; its schemes are chosen to fit. */
  readonly targetSize?: number | undefined;
  /** FFN widths to which the model may be pruned for `targetSize`. */
  readonly ffnWidths?: readonly number[] | undefined;
  /** File to save the schemes in that are chosen for `targetSize`. */
  readonly saveSchemes?: string | undefined;
  /** File with schemes to use, as `saveSchemes` writes it. */
  readonly schemes?: string | undefined;
  /** Read weights from the Hub during the conversion, without a copy on this machine. */
  readonly stream?: boolean | undefined;
  /** Convert only this share, for `merge`. */
  readonly share?: Share | undefined;
  /** Plan with exact sizes, write nothing. */
  readonly dryRun?: boolean | undefined;
  /** Replace existing files. */
  readonly force?: boolean | undefined;
  /** Keep finished work if the run is interrupted, and continue from the work of such a run. */
  readonly resume?: boolean | undefined;
  readonly threads?: number | undefined;
  /** Memory limit of the process in bytes. */
  readonly maxMemory?: number | undefined;
  /** Compare the artifacts with the source afterwards. */
  readonly verify?: boolean | undefined;
  /** Largest mean KLD that passes, in nats per token. Left out: by the coarsest scheme. */
  readonly maxKld?: number | undefined;
  /** Files to write reports of the verification to, `.html` or `.md`. */
  readonly reports?: readonly string[] | undefined;
}
