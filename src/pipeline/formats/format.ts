import type { GraphFile } from '../../../formats/onnx/folder/graph-file.ts';
import type { CacheForm } from '../../core/config.ts';
import type { ExportPlan } from '../../core/export-plan.ts';
import type { Model } from '../../core/model.ts';
import type { TargetOptions } from '../planning/target-options.ts';
import type { ManifestOptions } from '../record/manifest.ts';
import type { OptionName } from '../record/recorded-options.ts';
import type { SourceFormat } from './source-format.ts';

/** Not recorded: `strict` only refuses, and of `allocation` the record has the chosen schemes. */
export type UnrecordedOption = 'strict' | 'allocation';

/** A format that plmpress writes and reads. */
export interface Format extends SourceFormat {
  /**
   * The word for what follows the colon of a target, and its canonical spelling. Throws `usage` for an
   * unknown one.
   */
  readonly kind: 'recipe' | 'scheme';
  readonly named: (recipe: string) => string;
  /** Every spelling, aliases included, in lower case. */
  readonly names: readonly string[];
  /** Options that change its bytes. */
  readonly options: readonly OptionName[];
  /** Other options that only some formats take. */
  readonly unrecorded: readonly UnrecordedOption[];
  /** Passes that the model needs before it fits the format. */
  readonly passes: (model: Model, options: TargetOptions) => string[];
  /** `passes`: those that have run, in the syntax of the record. */
  readonly plan: (
    model: Model,
    recipe: string,
    options: TargetOptions,
    passes: readonly string[],
  ) => PlannedFiles | Promise<PlannedFiles>;
  /** Names that files of an artifact may have, relative to the output folder. None is hidden. */
  readonly fileNames: readonly RegExp[];
  /** How the name of the file that readers open ends. */
  readonly mainFile: string;
  /** Whether readers open that file or its folder. */
  readonly opens: 'file' | 'folder';
  /** Whether an artifact stores how often neurons fire, if statistics are given. */
  readonly holdsFiring: boolean;
  /** The form of an artifact's KV cache, by its recorded options. */
  readonly cacheOf: (options: ManifestOptions) => CacheForm;
}

/** The files of an artifact before they are written. */
export interface PlannedFiles {
  readonly plan: ExportPlan;
  /** What the files beside an ONNX graph record of it. */
  readonly graph?: GraphFile;
}
