export type { PlmConfig } from './core/config.ts';
export { EXIT_CODES, type Failure, type Fault, PressError } from './core/errors.ts';
export type { Imatrix } from './core/imatrix.ts';
export { closeModel, type Model } from './core/model.ts';
export type { Progress, ProgressEvent } from './core/progress.ts';
export type { SchemeName } from './core/scheme.ts';
export type { Tensor } from './core/tensor.ts';
export {
  type CalibrateOptions,
  type Calibration,
  type CalibrationDevice,
  calibrate,
} from './pipeline/calibrate.ts';
export { type ConvertOptions, type ConvertResult, convert } from './pipeline/convert.ts';
export { type DiffOptions, diff, type ModelDiff } from './pipeline/diff.ts';
export { type GenerateOptions, type Generation, generate } from './pipeline/generate.ts';
export { type Inspection, inspect } from './pipeline/inspect.ts';
export { type JobMatrix, jobMatrix, type MatrixJob, type MatrixRequest } from './pipeline/job-matrix.ts';
export { type LogitsOptions, logits } from './pipeline/logits.ts';
export type { Manifest } from './pipeline/manifest.ts';
export { openSource, withSource } from './pipeline/open.ts';
export {
  type ConvertPartOptions,
  type ConvertPartResult,
  convertPart,
} from './pipeline/parts/convert-part.ts';
export { type MergeOptions, merge } from './pipeline/parts/merge.ts';
export { DEVICES, type DeviceProfile, readDevices } from './pipeline/plan/devices.ts';
export { type Prediction, type PredictOptions, predict } from './pipeline/plan/predict.ts';
export { readImatrix } from './pipeline/read-imatrix.ts';
export { type ReproducedArtifact, type ReproduceOptions, reproduce } from './pipeline/reproduce.ts';
export { planTarget, type Target, type TargetOptions } from './pipeline/target.ts';
export { checkFiles, type Verification, type VerifyOptions, verify } from './pipeline/verify.ts';
