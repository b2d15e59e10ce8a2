import { SCHEMES, type SchemeName, schemeBytes } from '../../src/core/scheme.ts';
import type { Compute, Pointer } from '../../src/kernels/compute.ts';
import type { Job, KernelName } from '../../src/kernels/jobs.ts';
import { DESCENT_COLUMNS } from '../../src/kernels/tiles.ts';
import { arbitraryBlocks, floats, gaussian } from '../support/builders/samples.ts';
import { encoded } from '../support/oracles/schemes/index.ts';

/** A kernel's job on made-up data: sets it up in a memory, so that several memories can run the same. */
export interface KernelCase {
  readonly name: string;
  /** Runs the kernel and returns everything that it wrote. */
  run(compute: Compute): Uint8Array;
}

export function gaussians(count: number, seed: number): Float32Array {
  const next = gaussian(seed);
  return floats(count, next);
}

/** Weights by the plain encoder; arbitrary blocks for schemes that can only be read. */
export function stored(scheme: SchemeName, weights: Float32Array): Uint8Array {
  if (!SCHEMES[scheme].canEncode) return arbitraryBlocks(scheme, schemeBytes(scheme, weights.length));
  return encoded(scheme, weights);
}

export function put(compute: Compute, values: Float32Array | Int32Array | Uint8Array): Pointer {
  // Shifted by one byte where bytes are given: weights may start at any address.
  const shift = values instanceof Uint8Array ? 1 : 0;
  const pointer = compute.alloc(values.byteLength + shift) + shift;
  compute
    .bytes(pointer, values.byteLength)
    .set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  return pointer;
}

function launch<K extends KernelName>(
  compute: Compute,
  kernel: K,
  job: Job<K>,
  output: Pointer,
  bytes: number,
): Uint8Array {
  compute.run(kernel, job);
  return compute.bytes(output, bytes).slice();
}

interface MatmulSizes {
  readonly scheme: SchemeName;
  readonly rows: number;
  readonly columns: number;
  readonly tokens: number;
  readonly batch?: number;
}

export function matmulCase(kernel: 'matmul' | 'matmulTransposed', sizes: MatmulSizes): KernelCase {
  const { scheme, rows, columns, tokens, batch = 1 } = sizes;
  const [inner, outer] = kernel === 'matmul' ? [columns, rows] : [rows, columns];
  return {
    name: `${kernel} ${scheme} ${batch} x ${rows} x ${columns}, ${tokens} tokens`,
    run(compute) {
      const rowBytes = schemeBytes(scheme, columns);
      const weights = put(compute, stored(scheme, gaussians(batch * rows * columns, 1)));
      // Strides beyond the sizes, odd ones for y: what lies between must stay as it is.
      const [xTokenStride, yTokenStride] = [inner * batch + 4, outer * batch + 3];
      const x = put(compute, gaussians(tokens * xTokenStride, 2));
      const yBytes = 4 * tokens * yTokenStride;
      const y = compute.alloc(yBytes);
      compute.bytes(y, yBytes).fill(0x55);
      const job = {
        weights,
        scheme: SCHEMES[scheme].ggmlType,
        rowBytes,
        rows,
        columns,
        batch,
        weightsBatchBytes: rows * rowBytes,
        x,
        xTokenStride,
        xBatchStride: inner,
        y,
        yTokenStride,
        yBatchStride: outer,
        tokens,
      };
      return launch(compute, kernel, job, y, yBytes);
    },
  };
}

/** Three values of x in four are zero, of both signs. */
export function matmulSparseCase({ scheme, rows, columns, tokens }: MatmulSizes): KernelCase {
  return {
    name: `matmulSparse ${scheme} ${rows} x ${columns}, ${tokens} tokens`,
    run(compute) {
      const rowBytes = schemeBytes(scheme, columns);
      const weights = put(compute, stored(scheme, gaussians(rows * columns, 18)));
      const [xTokenStride, yTokenStride] = [rows + 4, columns + 3];
      const x = gaussians(tokens * xTokenStride, 19).map((v, i) => (i % 4 === 1 ? v : v * 0));
      const yBytes = 4 * tokens * yTokenStride;
      const y = compute.alloc(yBytes + 4 * tokens);
      compute.bytes(y, yBytes).fill(0x55);
      const job = {
        weights,
        scheme: SCHEMES[scheme].ggmlType,
        rowBytes,
        rows,
        columns,
        x: put(compute, x),
        xTokenStride,
        y,
        yTokenStride,
        used: y + yBytes,
        tokens,
      };
      return launch(compute, 'matmulSparse', job, y, yBytes + 4 * tokens);
    },
  };
}

export function embedCase(scheme: SchemeName, columns: number, ids: readonly number[]): KernelCase {
  return {
    name: `embed ${scheme} x ${columns}, ${ids.length} tokens`,
    run(compute) {
      const rowBytes = schemeBytes(scheme, columns);
      const weights = put(compute, stored(scheme, gaussians(16 * columns, 3)));
      const y = compute.alloc(4 * ids.length * columns);
      const job = {
        weights,
        scheme: SCHEMES[scheme].ggmlType,
        rowBytes,
        columns,
        ids: put(compute, Int32Array.from(ids)),
        y,
        yTokenStride: columns,
        tokens: ids.length,
      };
      return launch(compute, 'embed', job, y, 4 * ids.length * columns);
    },
  };
}

export function rmsNormCase(columns: number, tokens: number, inPlace: boolean): KernelCase {
  return {
    name: `rmsNorm x ${columns}, ${tokens} tokens${inPlace ? ', in place' : ''}`,
    run(compute) {
      const x = put(compute, gaussians(columns * tokens, 4));
      const gamma = put(compute, gaussians(columns, 5));
      const y = inPlace ? x : compute.alloc(4 * columns * tokens);
      const strides = { xTokenStride: columns, yTokenStride: columns };
      const job = { x, y, gamma, columns, tokens, epsilon: 1e-6, ...strides };
      return launch(compute, 'rmsNorm', job, y, 4 * columns * tokens);
    },
  };
}

export function rmsNormGradientCase(columns: number, tokens: number): KernelCase {
  return {
    name: `rmsNormGradient x ${columns}, ${tokens} tokens`,
    run(compute) {
      const stride = columns + 1;
      const g = put(compute, gaussians(stride * tokens, 30));
      const job = {
        x: put(compute, gaussians(columns * tokens, 4)),
        xTokenStride: columns,
        g,
        gTokenStride: stride,
        gamma: put(compute, gaussians(columns, 5)),
        columns,
        epsilon: 1e-6,
        tokens,
      };
      return launch(compute, 'rmsNormGradient', job, g, 4 * stride * tokens);
    },
  };
}

export function ropeCase(dim: number, heads: number, tokens: number, interleaved: number): KernelCase {
  const position = 3;
  return {
    name: `rope ${heads} heads x ${dim}, ${tokens} tokens, ${interleaved ? 'interleaved' : 'halves'}`,
    run(compute) {
      const angle = (i: number) => Math.floor(i / dim) * 10000 ** (-(2 * ((i % dim) >> 1)) / dim);
      const table = floats((position + tokens) * dim, (i) => (i % 2 ? Math.sin : Math.cos)(angle(i)));
      const headStride = dim + 8;
      const x = put(compute, gaussians(tokens * heads * headStride, 6));
      const job = {
        x,
        tokenStride: heads * headStride,
        headStride,
        heads,
        dim,
        table: put(compute, table),
        position,
        interleaved,
        tokens,
      };
      return launch(compute, 'rope', job, x, 4 * tokens * heads * headStride);
    },
  };
}

export interface AttentionSizes {
  readonly heads: number;
  readonly keyDim: number;
  readonly valueDim: number;
  readonly position: number;
  readonly tokens: number;
  /** Latent form: one key and value for all heads. */
  readonly shared?: boolean;
  readonly scale?: number;
}

export function attentionCase(sizes: AttentionSizes): KernelCase {
  const { heads, keyDim, valueDim, position, tokens, shared = false } = sizes;
  const { scale = keyDim ** -0.5 } = sizes;
  return {
    name: `attention ${JSON.stringify(sizes)}`,
    run(compute) {
      const length = position + tokens;
      const stored = shared ? 1 : heads;
      const outBytes = 4 * tokens * heads * valueDim;
      const out = compute.alloc(outBytes);
      const job = {
        q: put(compute, gaussians(tokens * heads * keyDim, 7)),
        qTokenStride: heads * keyDim,
        qHeadStride: keyDim,
        keys: put(compute, gaussians(length * stored * keyDim, 8)),
        keyStride: stored * keyDim,
        keyHeadStride: shared ? 0 : keyDim,
        keyDim,
        values: put(compute, gaussians(length * stored * valueDim, 9)),
        valueStride: stored * valueDim,
        valueHeadStride: shared ? 0 : valueDim,
        valueDim,
        out,
        outTokenStride: heads * valueDim,
        outHeadStride: valueDim,
        heads,
        tokens,
        position,
        scale,
      };
      return launch(compute, 'attention', job, out, outBytes);
    },
  };
}

export function attentionGradientCase(sizes: Omit<AttentionSizes, 'position'>): KernelCase {
  const { heads, keyDim, valueDim, tokens, shared = false } = sizes;
  const { scale = keyDim ** -0.5 } = sizes;
  return {
    name: `attentionGradient ${JSON.stringify(sizes)}`,
    run(compute) {
      const stored = shared ? 1 : heads;
      const [ofKeys, ofValues] = [4 * tokens * heads * keyDim, 4 * tokens * heads * valueDim];
      const gq = compute.alloc(2 * ofKeys + ofValues);
      // Areas may hold something already.
      compute.bytes(gq, 2 * ofKeys + ofValues).fill(0x55);
      const job = {
        q: put(compute, gaussians(tokens * heads * keyDim, 7)),
        qTokenStride: heads * keyDim,
        qHeadStride: keyDim,
        keys: put(compute, gaussians(tokens * stored * keyDim, 8)),
        keyStride: stored * keyDim,
        keyHeadStride: shared ? 0 : keyDim,
        keyDim,
        values: put(compute, gaussians(tokens * stored * valueDim, 9)),
        valueStride: stored * valueDim,
        valueHeadStride: shared ? 0 : valueDim,
        valueDim,
        g: put(compute, gaussians(tokens * heads * valueDim, 31)),
        gTokenStride: heads * valueDim,
        gHeadStride: valueDim,
        gq,
        gKeys: gq + ofKeys,
        gValues: gq + 2 * ofKeys,
        heads,
        tokens,
        scale,
      };
      return launch(compute, 'attentionGradient', job, gq, 2 * ofKeys + ofValues);
    },
  };
}

export function softmaxCase(columns: number, tokens: number): KernelCase {
  return {
    name: `softmax x ${columns}, ${tokens} tokens`,
    run(compute) {
      const stride = columns + 1;
      const values = gaussians(stride * tokens, 32).map((value) => 20 * value);
      const x = put(compute, values);
      return launch(compute, 'softmax', { x, tokenStride: stride, columns, tokens }, x, 4 * stride * tokens);
    },
  };
}

export function reluSquaredGradientCase(columns: number, tokens: number): KernelCase {
  return {
    name: `reluSquaredGradient x ${columns}, ${tokens} tokens`,
    run(compute) {
      const values = gaussians((columns + 1) * tokens, 10).map((value) => Math.max(0, value) ** 2);
      const g = put(compute, gaussians((columns + 3) * tokens, 33));
      const y = { y: put(compute, values), yTokenStride: columns + 1 };
      const job = { ...y, g, gTokenStride: columns + 3, columns, tokens };
      return launch(compute, 'reluSquaredGradient', job, g, 4 * (columns + 3) * tokens);
    },
  };
}

export function reluSquaredCase(columns: number, tokens: number): KernelCase {
  return {
    name: `reluSquared x ${columns}, ${tokens} tokens`,
    run(compute) {
      const x = put(compute, gaussians((columns + 1) * tokens, 10));
      const job = { x, tokenStride: columns + 1, columns, tokens };
      return launch(compute, 'reluSquared', job, x, 4 * (columns + 1) * tokens);
    },
  };
}

export function addCase(columns: number, tokens: number, shared: boolean): KernelCase {
  return {
    name: `add x ${columns}, ${tokens} tokens${shared ? ', one vector to all' : ''}`,
    run(compute) {
      const x = put(compute, gaussians((columns + 1) * tokens, 11));
      const y = put(compute, gaussians((columns + 1) * tokens, 12));
      const job = {
        x,
        xTokenStride: shared ? 0 : columns + 1,
        y,
        yTokenStride: columns + 1,
        columns,
        tokens,
      };
      return launch(compute, 'add', job, y, 4 * (columns + 1) * tokens);
    },
  };
}

export function columnSumsCase(columns: number, tokens: number, weight: number): KernelCase {
  return {
    name: `columnSums x ${columns}, ${tokens} tokens, weight ${weight}`,
    run(compute) {
      const x = put(compute, gaussians((columns + 1) * tokens, 17));
      const squares = compute.alloc(24 * columns);
      // Only some jobs want more than squares.
      const [sums, positives] = weight === 1 ? [0, 0] : [squares + 8 * columns, squares + 16 * columns];
      const job = { x, tokenStride: columns + 1, columns, tokens, weight, squares, sums, positives };
      return launch(compute, 'columnSums', job, squares, 24 * columns);
    },
  };
}

export function columnProductsCase(columns: number, tokens: number): KernelCase {
  return {
    name: `columnProducts x ${columns}, ${tokens} tokens`,
    run(compute) {
      const x = put(compute, gaussians((columns + 1) * tokens, 34));
      const y = put(compute, gaussians((columns + 2) * tokens, 35));
      const sums = compute.alloc(8 * columns);
      const strides = { xTokenStride: columns + 1, yTokenStride: columns + 2 };
      const job = { x, y, ...strides, columns, tokens, weight: 0.3, sums };
      return launch(compute, 'columnProducts', job, sums, 8 * columns);
    },
  };
}

/** Of `tokens` rows of `stride`, one value in `every` is not zero; one row has none. */
function sparse(stride: number, tokens: number, every: number): Float32Array {
  const values = gaussians(stride * tokens, 18);
  return values.map((value, i) => ((7 * i) % 11 < 11 / every && (i / stride) >> 0 !== 1 ? value : 0));
}

export function secondMomentsCase(
  columns: number,
  tokens: number,
  weight: number,
  every: number,
): KernelCase {
  return {
    name: `secondMoments of ${columns}, ${tokens} tokens, weight ${weight}, zeros but for 1 in ${every}`,
    run(compute) {
      const x = put(compute, sparse(columns + 1, tokens, every));
      const bytes = 4 * columns * (columns + 1);
      const moments = compute.alloc(bytes);
      const job = { x, tokenStride: columns + 1, columns, tokens, weight, moments };
      return launch(compute, 'secondMoments', job, moments, bytes);
    },
  };
}

export function listNonzerosCase(columns: number, tokens: number, every: number): KernelCase {
  return {
    name: `listNonzeros of ${columns}, ${tokens} tokens, 1 in ${every}`,
    run(compute) {
      const x = put(compute, sparse(columns + 1, tokens, every));
      const listStride = 8 + 8 * (columns >> 2);
      const lists = compute.alloc(tokens * listStride);
      const job = { x, tokenStride: columns + 1, columns, tokens, lists, listStride };
      launch(compute, 'listNonzeros', job, lists, tokens * listStride);
      // What lies behind the last entry says nothing.
      for (let t = 0; t < tokens; t++) {
        const list = compute.bytes(lists + t * listStride, listStride);
        list.fill(0, 8 + 8 * compute.ints(lists + t * listStride, 1)[0]!);
      }
      return compute.bytes(lists, tokens * listStride);
    },
  };
}

export function sparseMomentsCase(columns: number, tokens: number, weight: number): KernelCase {
  return {
    name: `sparseMoments of ${columns}, ${tokens} tokens, weight ${weight}`,
    run(compute) {
      const x = put(compute, sparse(columns, tokens, 6));
      const listStride = 8 + 8 * columns;
      const lists = compute.alloc(tokens * listStride);
      const list = { columns, tokens, lists, listStride };
      compute.run('listNonzeros', { ...list, x, tokenStride: columns });
      const bytes = 4 * columns * (columns + 1);
      const moments = compute.alloc(bytes);
      return launch(compute, 'sparseMoments', { ...list, weight, moments }, moments, bytes);
    },
  };
}

/** A triangle whose diagonal is large enough that quotients stay small. */
function putTriangle(compute: Compute, size: number): Pointer {
  const triangle = compute.alloc(4 * size * (size + 1));
  const values = compute.doubles(triangle, (size * (size + 1)) / 2);
  values.set(gaussians(values.length, 23));
  for (let i = 0; i < size; i++) values[(i * (i + 1)) / 2 + i] = 20 + i;
  return triangle;
}

export function eliminateRowsCase(
  from: number,
  to: number,
  pivots: number,
  firstRow: number,
  rows: number,
): KernelCase {
  return {
    name: `eliminateRows of ${rows} from ${firstRow}, entries ${from} to ${to}, ${pivots} pivots`,
    run(compute) {
      const size = firstRow + rows;
      const triangle = putTriangle(compute, size);
      const job = { triangle, from, to, pivots, firstRow, rows };
      return launch(compute, 'eliminateRows', job, triangle, 4 * size * (size + 1));
    },
  };
}

export function substituteBackCase(pivots: number, firstRow: number, rows: number): KernelCase {
  return {
    name: `substituteBack into ${rows} rows from ${firstRow}, ${pivots} pivots`,
    run(compute) {
      const size = firstRow + rows;
      const triangle = putTriangle(compute, size);
      const job = { triangle, pivots, firstRow, rows };
      return launch(compute, 'substituteBack', job, triangle, 4 * size * (size + 1));
    },
  };
}

export function reverseFactorCase(size: number, columns: number): KernelCase {
  return {
    name: `reverseFactor of ${size}, ${columns} columns`,
    run(compute) {
      const triangle = putTriangle(compute, size);
      // Areas may hold something already.
      const bytes = 2 * columns * (columns - 1) + 4 * columns;
      const pivots = put(compute, new Float32Array(bytes / 4).fill(1));
      const job = { triangle, size, columns, factor: pivots + 4 * columns, pivots };
      return launch(compute, 'reverseFactor', job, pivots, bytes);
    },
  };
}

export function transcodeCase(
  from: SchemeName,
  to: SchemeName,
  rows: number,
  weights: Float32Array,
  sample: string,
  importance?: Float32Array,
): KernelCase {
  const columns = weights.length / rows;
  const how = importance === undefined ? '' : ', with importance';
  return {
    name: `transcode ${from} to ${to}, ${rows} x ${columns} ${sample} weights${how}`,
    run(compute) {
      const targetRowBytes = schemeBytes(to, columns);
      const target = compute.alloc(rows * targetRowBytes);
      const job = {
        source: put(compute, stored(from, weights)),
        sourceScheme: SCHEMES[from].ggmlType,
        sourceRowBytes: schemeBytes(from, columns),
        target,
        targetScheme: SCHEMES[to].ggmlType,
        targetRowBytes,
        rows,
        columns,
        importance: importance === undefined ? 0 : put(compute, importance),
      };
      return launch(compute, 'transcode', job, target, rows * targetRowBytes);
    },
  };
}

export function quantizeByRowCase(from: SchemeName, rows: number, weights: Float32Array): KernelCase {
  const columns = weights.length / rows;
  return {
    name: `quantizeByRow of ${from}, ${rows} x ${columns}`,
    run(compute) {
      const targetRowBytes = schemeBytes('Q8_0', columns);
      const target = compute.alloc(rows * targetRowBytes);
      const job = {
        source: put(compute, stored(from, weights)),
        sourceScheme: SCHEMES[from].ggmlType,
        sourceRowBytes: schemeBytes(from, columns),
        target,
        targetRowBytes,
        rows,
        columns,
      };
      return launch(compute, 'quantizeByRow', job, target, rows * targetRowBytes);
    },
  };
}

/** The factor of moments whose columns go together, and pivots. */
function feedbackFactor(columns: number): { factor: Float32Array; pivots: Float32Array } {
  const factor = gaussians((columns * (columns - 1)) / 2, 22).map((value) => 0.1 * value);
  return { factor, pivots: gaussians(columns, 23).map((value) => 0.1 + value * value) };
}

export function conditionalMomentsCase(columns: number): KernelCase {
  return {
    name: `conditionalMoments of ${columns} columns`,
    run(compute) {
      const { factor, pivots } = feedbackFactor(columns);
      const bytes = 4 * columns * DESCENT_COLUMNS;
      // Areas may hold something already.
      const moments = put(compute, new Float32Array(bytes / 4).fill(1));
      const job = { factor: put(compute, factor), pivots: put(compute, pivots), columns, moments };
      return launch(compute, 'conditionalMoments', job, moments, bytes);
    },
  };
}

export function roundWithFeedbackCase(
  [from, to]: readonly [SchemeName, SchemeName],
  rows: number,
  columns: number,
  importance?: Float32Array,
): KernelCase {
  return {
    name: `roundWithFeedback of ${from} into ${to}, ${rows} x ${columns}${importance === undefined ? '' : ', with importance'}`,
    run(compute) {
      const targetRowBytes = schemeBytes(to, columns);
      const target = compute.alloc(rows * targetRowBytes);
      const { factor, pivots } = feedbackFactor(columns);
      const places = { factor: put(compute, factor), pivots: put(compute, pivots) };
      const conditional = compute.alloc(4 * columns * DESCENT_COLUMNS);
      compute.run('conditionalMoments', { ...places, columns, moments: conditional });
      const job = {
        source: put(compute, stored(from, gaussians(rows * columns, 21))),
        sourceScheme: SCHEMES[from].ggmlType,
        sourceRowBytes: schemeBytes(from, columns),
        target,
        targetScheme: SCHEMES[to].ggmlType,
        targetRowBytes,
        rows,
        columns,
        importance: importance === undefined ? 0 : put(compute, importance),
        ...places,
        conditional,
        refits: 0,
      };
      return launch(compute, 'roundWithFeedback', job, target, rows * targetRowBytes);
    },
  };
}

export function differenceCase(aScheme: SchemeName, bScheme: SchemeName, columns: number): KernelCase {
  const rows = 140;
  return {
    name: `difference of ${aScheme} and ${bScheme}, ${rows} x ${columns}`,
    run(compute) {
      const weights = gaussians(rows * columns, 13);
      const damaged = weights.slice();
      damaged[columns] = Infinity;
      const out = compute.alloc(32 * rows);
      const job = {
        a: put(compute, stored(aScheme, weights)),
        aScheme: SCHEMES[aScheme].ggmlType,
        aRowBytes: schemeBytes(aScheme, columns),
        b: put(compute, stored(bScheme, bScheme === 'F32' ? damaged : weights)),
        bScheme: SCHEMES[bScheme].ggmlType,
        bRowBytes: schemeBytes(bScheme, columns),
        rows,
        columns,
        out,
      };
      return launch(compute, 'difference', job, out, 32 * rows);
    },
  };
}
