import type { BindingKind, KernelSource } from '../engine/kernel.ts';
import { assemble } from '../engine/shaders.ts';
import addUpdate from '../kernels/add-update.wgsl';
import gather from '../kernels/gather.wgsl';
import multiplyGathered from '../kernels/multiply-gathered.wgsl';
import normFactors from '../kernels/norm-factors.wgsl';
import params from '../kernels/params.wgsl';
import mass from '../kernels/scales/mass.wgsl';
import none from '../kernels/scales/none.wgsl';
import norm from '../kernels/scales/norm.wgsl';
import sumFirings from '../kernels/sum-firings.wgsl';
import sumSquares from '../kernels/sum-squares.wgsl';
import { type Band, TILE } from './triangle-tiles.ts';

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

export interface ScaledShape extends VectorsShape {
  readonly scale: keyof typeof SCALES;
}

export interface SquaresShape extends ScaledShape {
  /** Default 1. */
  readonly heads?: number;
  /** Distance of heads in floats. */
  readonly headStride?: number;
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
  return {
    name: `sum squares ${scale}`,
    code: assemble({ ...vectorConstants(shape), ...constants }, [params, SCALES[scale], sumSquares]),
    bindings: ['params', 'read', 'write', ...bindingsOf(scale)],
  };
}

/** `stride`: distance of gathered vectors in floats. */
export function gatherKernel({ scale, ...shape }: ScaledShape, stride: number): KernelSource {
  const constants = { ...vectorConstants(shape), GATHERED_STRIDE: stride };
  return {
    name: `gather ${scale}`,
    code: assemble(constants, [params, SCALES[scale], gather]),
    bindings: ['params', 'read', 'write', ...bindingsOf(scale)],
  };
}

export function multiplyGatheredKernel({ sideTiles, firstRow }: Band): KernelSource {
  return {
    name: 'multiply gathered',
    code: assemble({ TILE, SIDE_TILES: sideTiles, FIRST_ROW: firstRow }, [params, multiplyGathered]),
    bindings: ['params', 'read', 'write'],
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

function bindingsOf(scale: ScaledShape['scale']): BindingKind[] {
  return scale === 'norm' ? ['read', 'read'] : [];
}

function vectorConstants({ columns, stride, offset = 0 }: VectorsShape) {
  return { COLUMNS: columns, X_STRIDE: stride, X_OFFSET: offset };
}
