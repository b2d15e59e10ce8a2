import type { KernelName } from '../../../../src/kernels/jobs.ts';
import { add } from './add.ts';
import { attention } from './attention.ts';
import { attentionGradient } from './attention-gradient.ts';
import { columnProducts } from './column-products.ts';
import { columnSums } from './column-sums.ts';
import { conditionalMoments } from './conditional-moments.ts';
import { difference } from './difference.ts';
import { eliminateRows } from './eliminate-rows.ts';
import { embed } from './embed.ts';
import type { PlainKernel } from './kernel.ts';
import { listNonzeros } from './list-nonzeros.ts';
import { matmul } from './matmul.ts';
import { matmulSparse } from './matmul-sparse.ts';
import { matmulTransposed } from './matmul-transposed.ts';
import { quantizeByRow } from './quantize-by-row.ts';
import { reluSquared } from './relu-squared.ts';
import { reluSquaredGradient } from './relu-squared-gradient.ts';
import { reverseFactor } from './reverse-factor.ts';
import { rmsNorm } from './rms-norm.ts';
import { rmsNormGradient } from './rms-norm-gradient.ts';
import { rope } from './rope.ts';
import { roundWithFeedback } from './round-with-feedback.ts';
import { secondMoments } from './second-moments.ts';
import { softmax } from './softmax.ts';
import { sparseMoments } from './sparse-moments.ts';
import { substituteBack } from './substitute-back.ts';
import { transcode } from './transcode.ts';

export const PLAIN_KERNELS: { readonly [K in KernelName]: PlainKernel<K> } = {
  matmul,
  matmulTransposed,
  matmulSparse,
  embed,
  rmsNorm,
  rmsNormGradient,
  rope,
  attention,
  attentionGradient,
  softmax,
  reluSquared,
  reluSquaredGradient,
  add,
  columnSums,
  columnProducts,
  secondMoments,
  listNonzeros,
  sparseMoments,
  eliminateRows,
  substituteBack,
  reverseFactor,
  transcode,
  quantizeByRow,
  conditionalMoments,
  roundWithFeedback,
  difference,
};
