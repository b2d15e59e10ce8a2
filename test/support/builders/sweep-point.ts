import type { SweepPoint } from '../../../src/pipeline/sweep.ts';

/** A point of a sweep with a quarter of its bytes in Q2_K and the others in Q4_K. */
export function sweepPoint(bytes: number, kld: number): SweepPoint {
  const tensors = [
    { name: 'blk.0.attn_q.weight', scheme: 'Q2_K' as const, bytes: bytes / 4, cost: kld },
    { name: 'blk.0.attn_output.weight', scheme: 'Q4_K' as const, bytes: (3 * bytes) / 4, cost: 0 },
  ];
  return {
    targetBytes: bytes,
    allocation: { tensors, bytes, predictedKld: kld, measuredKld: kld, tokens: 64 },
    comparison: {
      kld: { mean: kld, median: kld, p99: kld, max: kld },
      tokens: 64,
      top1: 0.9,
      ppl: { reference: 10, artifact: 11 },
      maxAbsError: 1,
    },
  };
}
