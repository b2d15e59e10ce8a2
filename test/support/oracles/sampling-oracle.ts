import type { Sampling } from '../../../src/webgpu/engine.ts';

/**
 * Tokens that may follow, by the definitions of repetition penalty, temperature, top-k, top-p and min-p, in
 * that order.
 */
export function sampledFrom(
  logits: Float32Array,
  seen: ReadonlySet<number>,
  sampling: Sampling,
): Set<number> {
  const { temperature = 0, topK = 0, topP = 1, minP = 0, repetitionPenalty = 1, tokens } = sampling;
  const scores = Array.from(logits.subarray(0, tokens), (logit, id) => {
    if (!seen.has(id)) return logit;
    return logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty;
  });
  const ranked = scores.map((score, id) => ({ score, id })).sort((a, b) => b.score - a.score);
  const best = ranked[0]!;
  if (temperature === 0) return new Set([best.id]);
  const candidates = (topK === 0 ? ranked : ranked.slice(0, topK)).map(({ score, id }) => ({
    id,
    weight: Math.exp((score - best.score) / temperature),
  }));
  const total = candidates.reduce((sum, { weight }) => sum + weight, 0);
  const kept = new Set<number>();
  let before = 0;
  for (const { id, weight } of candidates) {
    if (kept.size > 0 && (before >= topP * total || weight < minP)) break;
    kept.add(id);
    before += weight;
  }
  return kept;
}
