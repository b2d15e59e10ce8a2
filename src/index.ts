export type { PlmConfig } from './core/config.ts';
export { EXIT_CODES, type Failure, type Fault, PressError } from './core/errors.ts';
export type { Imatrix } from './core/imatrix.ts';
export type { Progress, ProgressEvent } from './core/jobs/progress.ts';
export { closeModel, type Model } from './core/model.ts';
export type { SchemeName } from './core/scheme.ts';
export type { Statistics } from './core/statistics.ts';
export type { Tensor } from './core/tensor.ts';
export { type HubSource, parseHubSource } from './hub/hub-source.ts';
export { type HubSettings, hubSettings } from './hub/settings.ts';
export {
  type CalibrateOptions,
  type Calibration,
  type CalibrationDevice,
  calibrate,
} from './pipeline/calibration/calibrate.ts';
export { type ConvertOptions, type ConvertResult, convert } from './pipeline/convert.ts';
export { type DiffOptions, diff, type ModelDiff } from './pipeline/diff.ts';
export { type Check, examine } from './pipeline/doctor/doctor.ts';
export { type GenerateOptions, type Generation, generate } from './pipeline/generate.ts';
export { type Inspection, inspect } from './pipeline/inspect.ts';
export { type JobMatrix, jobMatrix, type MatrixJob, type MatrixRequest } from './pipeline/job-matrix.ts';
export { type LogitsOptions, logits } from './pipeline/logits.ts';
export {
  type ConvertPartOptions,
  type ConvertPartResult,
  convertPart,
} from './pipeline/parts/convert-part.ts';
export { type MergeOptions, merge } from './pipeline/parts/merge.ts';
export { DEVICES, type DeviceProfile, readDevices } from './pipeline/plan/devices.ts';
export { type Prediction, type PredictOptions, predict } from './pipeline/plan/predict.ts';
export type { Target } from './pipeline/planning/planned-target.ts';
export { planTarget, planTargets } from './pipeline/planning/target.ts';
export type { TargetOptions } from './pipeline/planning/target-options.ts';
export { type Pull, type PullOptions, pull } from './pipeline/pull.ts';
export { type Push, type PushOptions, push } from './pipeline/push.ts';
export type { Manifest } from './pipeline/record/manifest.ts';
export { type ReproducedArtifact, type ReproduceOptions, reproduce } from './pipeline/reproduce.ts';
export { openSource, type SourceAccess, type SourceOptions, withSource } from './pipeline/sources/open.ts';
export { withStatistics } from './pipeline/sources/open-statistics.ts';
export { readImatrix } from './pipeline/sources/read-imatrix.ts';
export { type SweepOptions, type SweepPoint, type SweepSize, sweep } from './pipeline/sweep.ts';
export {
  checkFiles,
  recordedPasses,
  type Verification,
  type VerifyOptions,
  verify,
} from './pipeline/verify.ts';
export { type PressOutcome, press } from './press/press.ts';
export type { PressRequest } from './press/request.ts';
export { type SweepRequest, sweepSizes } from './press/sweep-sizes.ts';
export {
  type VerifiedArtifact,
  type VerifyOutcome,
  type VerifyRequest,
  verifyArtifacts,
} from './press/verify-artifacts.ts';
