import type { GraphFile } from '../../../formats/onnx/folder/graph-file.ts';
import type { ExportPlan } from '../../core/export-plan.ts';
import type { Model } from '../../core/model.ts';
import type { Allocation } from '../allocation/allocate.ts';
import type { ManifestOptions } from '../record/manifest.ts';

/** One `--to`, planned: every offset and size is known, nothing has been read or written. */
export interface Target {
  /** The model as the artifact holds it: its passes have run. */
  readonly model: Model;
  /** Passes that have run, as `plmpress.json` records them. */
  readonly passes: readonly string[];
  readonly plan: ExportPlan;
  /** What the files beside an ONNX graph say about it. */
  readonly graph?: GraphFile;
  /** How schemes were chosen by size. */
  readonly allocation?: Allocation;
  /** Options that bytes depend on. */
  readonly options: ManifestOptions;
}
