import { exponentOf } from '../../src/core/elementary/binary-exponent.ts';
import { invalidInput, unsupported } from '../../src/core/errors.ts';
import { columnCount, rowBytes, type Tensor } from '../../src/core/tensor.ts';
import { rewriteRows } from '../../src/passes/rows/float-rows.ts';
import { decoderOf } from '../../src/schemes/index.ts';
import { hasBlockScales, multiplyBlocks } from '../../src/schemes/power-of-two.ts';

/**
 * Arch deepseek2 computes silu(gate x) * (up x) where a PLM computes relu(up x)^2. With gate = beta^2 up and
 * an input that is divided by beta, z = up x gives silu(beta z) z / beta, which differs from relu(z)^2 by at
 * most 0.5413 / beta^2. The division is in the norm before it, so that up keeps its weights, and beta is a
 * power of two, so that every product is exact.
 */
export const BETA = 64;

/** Metadata key of beta, u32. By it the importer knows that gate repeats up. */
export const BETA_KEY = 'plmpress.relu_squared.beta';

/**
 * Root mean square of the error as part of that of relu(z)^2, for Gaussian z of variance 1: 8.7e-5 for beta
 * 16, 2.7e-6 for 64, 8.5e-8 for 256.
 */
export function reluSquaredError(beta: number): number {
  return 0.089 / (beta * beta * Math.sqrt(beta));
}

/** Name of the gate that goes with the `ffn_up` of this name. */
export function gateName(up: string): string {
  return up.replace('ffn_up', 'ffn_gate');
}

/**
 * The gate that goes with `up`. Blocks keep their codes, and their scales are multiplied, so that no weight
 * is rounded again.
 * @throws PressError, when rows are read, unsupported where a scale exceeds its f16.
 */
export function gateOf(up: Tensor, beta: number): Tensor {
  if (!hasBlockScales(up.scheme)) return scaled(up, beta ** 2);
  const exponent = 2 * exponentOf(beta);
  return {
    ...up,
    async readRows(range, into, signal) {
      await up.readRows(range, into, signal);
      if (multiplyBlocks(up.scheme, into, exponent)) return;
      const what = `${beta ** 2} times a scale of ${up.scheme} is too large for a gate of arch deepseek2`;
      throw unsupported({ field: up.name, what });
    },
  };
}

/** The norm before the FFN, for inputs divided by beta. */
export function foldBeta(norm: Tensor, beta: number): Tensor {
  return scaled(norm, 1 / beta);
}

/** The norm as it was before `foldBeta`. */
export function unfoldBeta(norm: Tensor, beta: number): Tensor {
  return scaled(norm, beta);
}

/**
 * Greatest distance of gate / beta^2 from up, as part of the length of up: both may be rounded in coarse
 * schemes.
 */
const MAX_GATE_ERROR = 0.5;

/**
 * `up`, which compares the first row of every range with that of `gate`, as a sample: what the key of beta
 * says may not be so. Errors name the gate as `where`.
 */
export function withGate(
  up: Tensor,
  gate: Tensor,
  beta: number,
  where: { file: string; field: string },
): Tensor {
  return {
    ...up,
    async readRows(range, into, signal) {
      await up.readRows(range, into, signal);
      const stored = new Uint8Array(rowBytes(gate));
      await gate.readRows({ first: range.first, count: 1 }, stored, signal);
      const columns = columnCount(up);
      const [a, b] = [new Float32Array(columns), new Float32Array(columns)];
      decoderOf(up.scheme)(into, 0, a, 0, columns);
      decoderOf(gate.scheme)(stored, 0, b, 0, columns);
      const length = sumOfSquares(a);
      const error = sumOfSquares(a.map((value, i) => b[i]! / beta ** 2 - value));
      // The negation lets a NaN fail.
      if (!(error <= MAX_GATE_ERROR ** 2 * length)) {
        const expected = `${beta ** 2} times ffn_up`;
        throw invalidInput({ ...where, what: `row ${range.first} is another function of the FFN`, expected });
      }
    },
  };
}

function sumOfSquares(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value ** 2, 0);
}

/** `factor` is a power of two. */
function scaled(source: Tensor, factor: number): Tensor {
  return rewriteRows(source, async () => (values) => {
    for (let i = 0; i < values.length; i++) values[i]! *= factor;
  });
}
