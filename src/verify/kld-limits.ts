import type { SchemeName } from '../core/scheme.ts';

/**
 * Most mean KLD, in nats per token, of a sound artifact whose coarsest matrices have this scheme: some twenty
 * to seventy times what plm-tiny shows on eval.txt, 2048 tokens (Q8_0 6.7e-5, Q6_K 6.8e-4, Q5_K 3.0e-3), and
 * some four times what llama.cpp's table has for Llama-3-8B, whose activations are rounded too (0.0014,
 * 0.0055, 0.011); BF16 and F16 by the square of their rounding, F32 by another order of summation, which
 * leaves 1e-12. Schemes of fewer bits have none: a limit that holds for every model would lie above what
 * damage costs, and prove nothing.
 */
const MEAN_KLD: Readonly<Partial<Record<SchemeName, number>>> = {
  F32: 1e-9,
  BF16: 5e-4,
  F16: 1e-5,
  Q8_0: 5e-3,
  Q6_K: 3e-2,
  Q5_0: 0.08,
  Q5_1: 0.06,
  Q5_K: 0.06,
};

/** Undefined for schemes whose rounding cannot be distinguished from damage by a limit. */
export function kldLimit(scheme: SchemeName): number | undefined {
  return MEAN_KLD[scheme];
}

/** Of activations in f32, in halves, and in 8 bits. */
export const ACTIVATION_KLD = { float: 1e-9, half: 5e-4, bytes: 5e-3 } as const;
