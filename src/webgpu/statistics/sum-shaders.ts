import type { BindingKind, KernelSource } from '../engine/kernel.ts';
import { assemble } from '../engine/shaders.ts';
import addUpdate from '../kernels/add-update.wgsl';
import normFactors from '../kernels/norm-factors.wgsl';
import params from '../kernels/params.wgsl';
import mass from '../kernels/scales/mass.wgsl';
import none from '../kernels/scales/none.wgsl';
import norm from '../kernels/scales/norm.wgsl';
import sumFirings from '../kernels/sum-firings.wgsl';
import sumSquares from '../kernels/sum-squares.wgsl';

/** Channels that one workgroup sums up. */
export const SUM_COLUMNS = 64;

/** By what values are multiplied before they are squared. */
const SCALES = { none, norm, mass };

/** Vectors of a batch, one per token. */
export interface VectorsShape {
  readonly columns: number;
  /** Distance of tokens in floats, and where the first begins. */
  readonly stride: number;
  readonly offset?: number;
}

export interface SquaresShape extends VectorsShape {
  /** Default 1. */
  readonly heads?: number;
  /** Distance of heads in floats. */
  readonly headStride?: number;
  readonly scale: keyof typeof SCALES;
  /** With `mass`: words of a range before its mass. */
  readonly latentWords?: number;
}

export function normFactorsKernel(shape: VectorsShape, epsilon: number): KernelSource {
  return {
    name: 'norm factors',
    code: assemble({ ...vectorConstants(shape), EPSILON: epsilon }, [normFactors]),
    bindings: ['params', 'read', 'write'],
  };
}

export function sumSquaresKernel(shape: SquaresShape): KernelSource {
  const { heads = 1, headStride = 0, scale, latentWords = 0 } = shape;
  const constants = { HEADS: heads, HEAD_STRIDE: headStride, LATENT_WORDS: latentWords };
  const more: BindingKind[] = scale === 'norm' ? ['read', 'read'] : [];
  return {
    name: `sum squares ${scale}`,
    code: assemble({ ...vectorConstants(shape), ...constants }, [params, SCALES[scale], sumSquares]),
    bindings: ['params', 'read', 'write', ...more],
  };
}

export function sumFiringsKernel(shape: VectorsShape): KernelSource {
  return {
    name: 'sum firings',
    code: assemble(vectorConstants(shape), [params, sumFirings]),
    bindings: ['params', 'read', 'write', 'write'],
  };
}

export function addUpdateKernel(shape: VectorsShape, bias: boolean): KernelSource {
  return {
    name: 'add update',
    code: assemble({ ...vectorConstants(shape), BIAS: bias }, [params, addUpdate]),
    bindings: ['params', 'write', 'write', 'write', 'read'],
  };
}

function vectorConstants({ columns, stride, offset = 0 }: VectorsShape) {
  return { COLUMNS: columns, X_STRIDE: stride, X_OFFSET: offset };
}
