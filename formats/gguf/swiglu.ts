import type { Tensor } from '../../src/core/tensor.ts';
import { rewriteRows } from '../../src/passes/float-rows.ts';

/**
 * Arch deepseek2 computes silu(gate x) * (up x) where a PLM computes relu(up x)^2. With gate = beta^2 up and an input
 * that is divided by beta, z = up x gives silu(beta z) z / beta, which differs from relu(z)^2 by at most
 * 0.5413 / beta^2. The division is in the norm before it, so that up keeps its weights, and beta is a power of two, so
 * that every product is exact.
 */
export const BETA = 64;

/** Metadata key of beta, u32. By it the importer knows that gate repeats up. */
export const BETA_KEY = 'plmpress.relu_squared.beta';

/**
 * Root mean square of the error as part of that of relu(z)^2, for Gaussian z of variance 1: 8.7e-5 for beta 16,
 * 2.7e-6 for 64, 8.5e-8 for 256.
 */
export function reluSquaredError(beta: number): number {
  return 0.089 * beta ** -2.5;
}

/** Name of the gate that goes with the `ffn_up` of this name. */
export function gateName(up: string): string {
  return up.replace('ffn_up', 'ffn_gate');
}

/** The gate that goes with `up`. */
export function gateOf(up: Tensor, beta: number): Tensor {
  return scaled(up, beta ** 2);
}

/** The norm before the FFN, for inputs divided by beta. */
export function foldBeta(norm: Tensor, beta: number): Tensor {
  return scaled(norm, 1 / beta);
}

/** The norm as it was before `foldBeta`. */
export function unfoldBeta(norm: Tensor, beta: number): Tensor {
  return scaled(norm, beta);
}

/** `factor` is a power of two. */
function scaled(source: Tensor, factor: number): Tensor {
  return rewriteRows(source, (values) => {
    for (let i = 0; i < values.length; i++) values[i]! *= factor;
  });
}
