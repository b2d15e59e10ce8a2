import type { GraphFile } from '../../../formats/onnx/folder/graph-file.ts';
import type { CacheForm } from '../../core/config.ts';
import type { ExportPlan } from '../../core/export-plan.ts';
import type { Model } from '../../core/model.ts';
import type { TargetOptions } from '../planning/target-options.ts';
import type { ManifestOptions } from '../record/manifest.ts';
import type { OptionName } from '../record/recorded-options.ts';
import type { SourceFormat } from './source-format.ts';

/** `strict` only refuses, and of `allocation` the schemes are recorded that it has chosen. */
export type UnrecordedOption = 'strict' | 'allocation';

/** A format that models are written in and read from. */
export interface Format extends SourceFormat {
  /**
   * What it calls that which follows the colon of a target, and the right spelling of one. Throws `usage` for
   * an unknown one.
   */
  readonly kind: 'recipe' | 'scheme';
  readonly named: (recipe: string) => string;
  /** Every spelling of one, in lower case. */
  readonly names: readonly string[];
  /** Options that its bytes depend on. */
  readonly options: readonly OptionName[];
  /** Other options that not every format goes by. */
  readonly unrecorded: readonly UnrecordedOption[];
  /** Passes that it needs and that the model still lacks. */
  readonly passes: (model: Model, options: TargetOptions) => string[];
  /** `passes`: those that have run, as they are recorded. */
  readonly plan: (
    model: Model,
    recipe: string,
    options: TargetOptions,
    passes: readonly string[],
  ) => PlannedFiles | Promise<PlannedFiles>;
  /** What files of its artifacts are called, from the output folder on. None is hidden. */
  readonly fileNames: readonly RegExp[];
  /** The ending of the file of an artifact that readers open. */
  readonly mainFile: string;
  /** What readers open: that file, or its folder. */
  readonly opens: 'file' | 'folder';
  /** Whether an artifact holds how often neurons fire, if statistics are given. */
  readonly holdsFiring: boolean;
  /** What the KV cache of an artifact holds, by its recorded options. */
  readonly cacheOf: (options: ManifestOptions) => CacheForm;
}

/** The files of an artifact before they are written. */
export interface PlannedFiles {
  readonly plan: ExportPlan;
  /** What the files beside an ONNX graph tell of it. */
  readonly graph?: GraphFile;
}
