/**
 * One export a kernel, each `(fields, scratch, first, end)`: runs tiles first .. end - 1 of the job at
 * `fields`.
 */
export { add } from './add';
export { attention } from './attention';
export { attentionGradient } from './attention-gradient';
export { columnProducts } from './column-products';
export { columnSums } from './column-sums';
export { conditionalMoments } from './conditional-moments';
export { difference } from './difference';
export { eliminateRows } from './eliminate-rows';
export { embed } from './embed';
export { listNonzeros } from './list-nonzeros';
export { matmul } from './matmul';
export { matmulSparse } from './matmul-sparse';
export { matmulTransposed } from './matmul-transposed';
export { quantizeByRow } from './quantize-by-row';
export { reluSquared } from './relu-squared';
export { reluSquaredGradient } from './relu-squared-gradient';
export { reverseFactor } from './reverse-factor';
export { rmsNorm } from './rms-norm';
export { rmsNormGradient } from './rms-norm-gradient';
export { rope } from './rope';
export { roundWithFeedback } from './round-with-feedback';
export { secondMoments } from './second-moments';
export { softmax } from './softmax';
export { sparseMoments } from './sparse-moments';
export { substituteBack } from './substitute-back';
export { transcode } from './transcode';
