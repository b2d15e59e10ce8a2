import attend from '../kernels/attend.wgsl';
import block from '../kernels/block.wgsl';
import combine from '../kernels/combine.wgsl';
import down from '../kernels/down.wgsl';
import embed from '../kernels/embed.wgsl';
import shared from '../kernels/lanes/shared.wgsl';
import subgroup from '../kernels/lanes/subgroup.wgsl';
import latent from '../kernels/latent.wgsl';
import noNeighbors from '../kernels/neighbors/none.wgsl';
import subgroupNeighbors from '../kernels/neighbors/subgroup.wgsl';
import active from '../kernels/neurons/active.wgsl';
import all from '../kernels/neurons/all.wgsl';
import add from '../kernels/outputs/add.wgsl';
import compact from '../kernels/outputs/compact.wgsl';
import squaredRelu from '../kernels/outputs/squared-relu.wgsl';
import store from '../kernels/outputs/store.wgsl';
import params from '../kernels/params.wgsl';
import pick from '../kernels/pick.wgsl';
import probe from '../kernels/probe.wgsl';
import project from '../kernels/project.wgsl';
import rope from '../kernels/rope.wgsl';
import f16 from '../kernels/schemes/f16.wgsl';
import q4 from '../kernels/schemes/q4.wgsl';
import q8 from '../kernels/schemes/q8.wgsl';
import { type MatrixScheme, storedColumns } from '../planes.ts';
import type { BindingKind, KernelSource } from './kernel.ts';

const SCHEMES: Readonly<Record<MatrixScheme, string>> = { f16, q4, q8 };

/** What a projection does with its result. */
const OUTPUTS = { store, add, squaredRelu, compact };
export type Output = keyof typeof OUTPUTS;

/** Values of constants that a kernel names. All but `EPSILON` and `SCORE_SCALE` are integers. */
type Constants = Readonly<Record<string, number | boolean>>;

/** How threads that share a row put their sums together. */
const LANES = { shared, subgroup };
export type Lanes = keyof typeof LANES;
const NEIGHBORS: Readonly<Record<Lanes, string>> = { shared: noNeighbors, subgroup: subgroupNeighbors };

/** Threads that share rows of a projection, a workgroup's, and rows that they share. */
export const LANES_A_ROW: Readonly<Record<Lanes, number>> = { shared: 8, subgroup: 4 };
const PROJECT_THREADS = 64;
const TILE_ROWS = 2;

/** Rows that one workgroup of a projection computes. */
export function groupRows(lanes: Lanes): number {
  return (PROJECT_THREADS / LANES_A_ROW[lanes]) * TILE_ROWS;
}
/** One workgroup adds to 64 columns. */
export const DOWN_COLUMNS = 64;
/** One workgroup looks up 64 octets of columns. */
export const EMBED_COLUMNS = 512;

export interface MatrixShape {
  readonly scheme: MatrixScheme;
  readonly rows: number;
  /** Of 32 columns. */
  readonly blocks: number;
}

export interface ProjectShape extends MatrixShape {
  readonly columns: number;
  /** Vectors that one workgroup multiplies with. */
  readonly tokens: number;
  /** Distance of vectors in floats: a multiple of 4. */
  readonly xStride: number;
  readonly outStride: number;
  readonly outOffset: number;
  /** Of the RMSNorm of x; undefined: x as it is. */
  readonly epsilon?: number;
  /** Begin with the row that the params name. */
  readonly fromRow?: boolean;
  readonly output: Output;
  readonly lanes: Lanes;
}

export function projectKernel(shape: ProjectShape): KernelSource {
  const { output, epsilon, lanes } = shape;
  const constants = {
    ...matrixConstants(shape),
    COLUMNS: shape.columns,
    TOKENS: shape.tokens,
    X_STRIDE: shape.xStride / 4,
    OUT_STRIDE: shape.outStride,
    OUT_OFFSET: shape.outOffset,
    TILE_ROWS,
    NORM: epsilon !== undefined,
    EPSILON: epsilon ?? 0,
    FROM_ROW: shape.fromRow ?? false,
  };
  const more: BindingKind[] = output === 'compact' ? ['write', 'write'] : [];
  return {
    name: `project ${output}`,
    code: withLanes(lanes, constants, [params, block, SCHEMES[shape.scheme], project, OUTPUTS[output]]),
    bindings: ['params', 'read', 'read', 'read', 'read', 'write', ...more],
  };
}

/** Tells whether subgroups add up as `lanes/subgroup.wgsl` takes for granted. */
export function probeKernel(): KernelSource {
  const bindings = ['params', 'write'] as const;
  return { name: 'probe', code: withLanes('subgroup', {}, [params, probe]), bindings };
}

function withLanes(lanes: Lanes, constants: Constants, parts: readonly string[]): string {
  const all = { ...constants, LANES: LANES_A_ROW[lanes], GROUP_THREADS: PROJECT_THREADS };
  return enabled(lanes, assemble(all, [LANES[lanes], ...parts]));
}

function enabled(lanes: Lanes, code: string): string {
  return lanes === 'subgroup' ? `enable subgroups;\n${code}` : code;
}

export interface EmbedShape extends MatrixShape {
  readonly firstRow: number;
  readonly xStride: number;
}

export function embedKernel(shape: EmbedShape): KernelSource {
  const constants = {
    ...matrixConstants(shape),
    FIRST_ROW: shape.firstRow,
    X_STRIDE: shape.xStride / 4,
  };
  return {
    name: 'embed',
    code: assemble(constants, [params, block, SCHEMES[shape.scheme], embed]),
    bindings: ['params', 'read', 'read', 'read', 'write'],
  };
}

/** Sizes of attention that its kernels share. */
export interface AttentionShape {
  readonly heads: number;
  readonly nope: number;
  readonly vDim: number;
  readonly latent: number;
  readonly ropePairs: number;
  readonly interleaved: boolean;
  readonly epsilon: number;
  /** Distance of the projections of tokens, and where [c | k_pe] lies in one. */
  readonly projectedStride: number;
  readonly keyOffset: number;
  /** Distance of the queries of tokens. */
  readonly queriedStride: number;
  readonly attendedStride: number;
}

/** Words of two halves that the latent takes in the cache, padded as the rows of kv_b_proj are. */
export function latentWords({ latent: width }: Pick<AttentionShape, 'latent'>): number {
  return storedColumns({ columns: width }) / 2;
}

/** Words with the rope part, padded so that they are read four at a time. */
export function cacheWords(shape: Pick<AttentionShape, 'latent' | 'ropePairs'>): number {
  return Math.ceil((latentWords(shape) + shape.ropePairs) / 4) * 4;
}

export function latentKernel(shape: AttentionShape, kvB: MatrixShape): KernelSource {
  const { latent: width, nope, ropePairs, projectedStride, queriedStride, keyOffset } = shape;
  const constants = {
    ...matrixConstants(kvB),
    HEADS: shape.heads,
    NOPE: nope,
    V_DIM: shape.vDim,
    LATENT: width,
    ROPE_PAIRS: ropePairs,
    LATENT_WORDS: latentWords(shape),
    CACHE_WORDS: cacheWords(shape),
    PROJECTED_STRIDE: projectedStride,
    QUERIED_STRIDE: queriedStride,
    KEY_OFFSET: keyOffset,
    INTERLEAVED: shape.interleaved,
    EPSILON: shape.epsilon,
    SCORE_SCALE: 1 / Math.sqrt(nope + 2 * ropePairs),
  };
  return {
    name: 'latent',
    code: assemble(constants, [params, block, SCHEMES[kvB.scheme], rope, latent]),
    bindings: ['params', 'read', 'read', 'read', 'read', 'read', 'write', 'write', 'read'],
  };
}

/** Heads that one workgroup attends with. */
export function groupHeads({ heads }: Pick<AttentionShape, 'heads'>): number {
  return Math.min(heads, 16);
}

export function attendKernel(shape: AttentionShape): KernelSource {
  const constants = {
    HEADS: shape.heads,
    GROUP_HEADS: groupHeads(shape),
    LATENT_WORDS: latentWords(shape),
    CACHE_WORDS: cacheWords(shape),
  };
  return {
    name: 'attend',
    code: assemble(constants, [params, attend]),
    bindings: ['params', 'read', 'read', 'write'],
  };
}

export function combineKernel(shape: AttentionShape, kvB: MatrixShape): KernelSource {
  const { heads, nope, vDim, attendedStride } = shape;
  const constants = {
    ...matrixConstants(kvB),
    HEADS: heads,
    NOPE: nope,
    V_DIM: vDim,
    LATENT_WORDS: latentWords(shape),
    ATTENDED_STRIDE: attendedStride,
    THREADS: groupThreads(2 * vDim),
  };
  return {
    name: 'combine',
    code: assemble(constants, [params, block, SCHEMES[kvB.scheme], combine]),
    bindings: ['params', 'read', 'read', 'read', 'write'],
  };
}

export interface DownShape extends MatrixShape {
  readonly columns: number;
  readonly tokens: number;
  readonly hiddenStride: number;
  readonly bias: boolean;
  /** Distance of the activations of tokens; undefined: one token, whose neurons are listed. */
  readonly neuronStride?: number;
  /** Neurons that one workgroup has listed. */
  readonly neuronBlock: number;
  readonly lanes: Lanes;
}

export function downKernel(shape: DownShape): KernelSource {
  const { neuronStride, lanes } = shape;
  const constants = {
    ...matrixConstants(shape),
    COLUMNS: shape.columns,
    TOKENS: shape.tokens,
    HIDDEN_STRIDE: shape.hiddenStride / 4,
    BIAS: shape.bias,
    NEURONS: shape.rows,
    NEURON_STRIDE: neuronStride ?? 0,
    NEURON_BLOCK: shape.neuronBlock,
  };
  const listed = neuronStride === undefined;
  const parts = [params, block, SCHEMES[shape.scheme], NEIGHBORS[lanes], down, listed ? active : all];
  return {
    name: listed ? 'down of active neurons' : 'down',
    code: enabled(lanes, assemble(constants, parts)),
    bindings: ['params', 'read', 'read', 'write', 'read', 'read', ...(listed ? (['read'] as const) : [])],
  };
}

export function pickKernel(): KernelSource {
  return {
    name: 'pick',
    code: assemble({}, [params, pick]),
    bindings: ['params', 'uniform', 'read', 'write', 'write'],
  };
}

/** Threads for so many tasks: no more than every device has, and not many that idle. */
function groupThreads(tasks: number): number {
  return Math.min(256, Math.ceil(tasks / 64) * 64);
}

function matrixConstants({ rows, blocks }: MatrixShape): Constants {
  return { ROWS: rows, BLOCKS: blocks };
}

const FLOATS = new Set(['EPSILON', 'SCORE_SCALE']);

/** Sizes are constants, so that compilers unroll and leave out. */
export function assemble(constants: Constants, parts: readonly string[]): string {
  const lines = Object.entries(constants).map(([name, value]) => {
    if (typeof value === 'boolean') return `const ${name} = ${value};`;
    return FLOATS.has(name) ? `const ${name}: f32 = ${value};` : `const ${name}: u32 = ${value}u;`;
  });
  return [...lines, ...parts].join('\n');
}
