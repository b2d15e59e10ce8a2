import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { SCHEMES, type SchemeName, schemeBytes, WRITTEN_SCHEMES } from '../../src/core/scheme.ts';
import { type Compute, openCompute, type Pointer } from '../../src/kernels/compute.ts';
import type { KernelName } from '../../src/kernels/jobs.ts';
import { assertSameBytes } from '../support/builders/blocks.ts';
import { importances, WEIGHT_SAMPLES } from '../support/builders/samples.ts';
import { openPlain } from '../support/drivers/plain-kernels.ts';
import { quantizeChunk } from '../support/oracles/ggml.ts';
import {
  addCase,
  attentionCase,
  attentionGradientCase,
  columnProductsCase,
  columnSumsCase,
  conditionalMomentsCase,
  differenceCase,
  eliminateRowsCase,
  embedCase,
  gaussians,
  type KernelCase,
  listNonzerosCase,
  matmulCase,
  matmulSparseCase,
  quantizeByRowCase,
  reluSquaredCase,
  reluSquaredGradientCase,
  reverseFactorCase,
  rmsNormCase,
  rmsNormGradientCase,
  ropeCase,
  roundWithFeedbackCase,
  secondMomentsCase,
  softmaxCase,
  sparseMomentsCase,
  stored,
  substituteBackCase,
  transcodeCase,
} from './cases.ts';

const SCHEME_NAMES = Object.keys(SCHEMES) as SchemeName[];
const isBlock = (scheme: SchemeName) => !['F32', 'F16', 'BF16'].includes(scheme);
/** Odd where rows are not made of blocks. */
const columnsFor = (scheme: SchemeName) => (isBlock(scheme) ? 256 : 251);
const odd = [1, 2, 3, 5, 7, 9];

/** Small cases run inline whatever the number of threads; each kernel has one that is shared among all. */
const CASES: Readonly<Record<KernelName, readonly KernelCase[]>> = {
  matmul: matmulCases('matmul'),
  matmulTransposed: matmulCases('matmulTransposed'),
  matmulSparse: [
    ...SCHEME_NAMES.flatMap((scheme) => [
      matmulSparseCase({ scheme, rows: 7, columns: columnsFor(scheme), tokens: 3 }),
      matmulSparseCase({ scheme, rows: 130, columns: 3 * columnsFor(scheme), tokens: 70 }),
    ]),
    ...odd.map((n) => matmulSparseCase({ scheme: 'F32', rows: n, columns: 10 - n, tokens: n })),
    ...odd.map((n) => matmulSparseCase({ scheme: 'BF16', rows: 10 - n, columns: 512 + n, tokens: n })),
  ],
  embed: SCHEME_NAMES.flatMap((scheme) => [
    embedCase(scheme, columnsFor(scheme), [15, 0, 3]),
    embedCase(
      scheme,
      columnsFor(scheme),
      Array.from({ length: 2400 }, (_, i) => (i * 7) % 16),
    ),
  ]),
  rmsNorm: [1, 4, 6, 251].flatMap((n) => [rmsNormCase(n, 3, false), rmsNormCase(n, 600, true)]),
  rmsNormGradient: [1, 4, 6, 251].flatMap((n) => [rmsNormGradientCase(n, 3), rmsNormGradientCase(n, 600)]),
  rope: [0, 1].flatMap((interleaved) => [
    ropeCase(2, 1, 1, interleaved),
    ropeCase(6, 3, 5, interleaved),
    ropeCase(64, 16, 140, interleaved),
  ]),
  attention: [
    attentionCase({ heads: 1, keyDim: 1, valueDim: 1, position: 0, tokens: 1 }),
    attentionCase({ heads: 3, keyDim: 6, valueDim: 5, position: 2, tokens: 7 }),
    attentionCase({ heads: 8, keyDim: 48, valueDim: 32, position: 0, tokens: 37 }),
    attentionCase({ heads: 8, keyDim: 75, valueDim: 63, position: 61, tokens: 2, shared: true }),
    // Scores spread over thousands: weights from 1 down to denormals and to zero.
    attentionCase({ heads: 2, keyDim: 16, valueDim: 8, position: 400, tokens: 40, scale: 30 }),
  ],
  attentionGradient: [
    attentionGradientCase({ heads: 1, keyDim: 1, valueDim: 1, tokens: 1 }),
    attentionGradientCase({ heads: 3, keyDim: 6, valueDim: 5, tokens: 7 }),
    attentionGradientCase({ heads: 8, keyDim: 48, valueDim: 32, tokens: 37 }),
    attentionGradientCase({ heads: 4, keyDim: 75, valueDim: 63, tokens: 30, shared: true }),
    attentionGradientCase({ heads: 2, keyDim: 16, valueDim: 8, tokens: 140, scale: 30 }),
  ],
  softmax: [1, 4, 7, 251].flatMap((n) => [softmaxCase(n, 3), softmaxCase(n, 600)]),
  reluSquaredGradient: [1, 4, 7, 251].flatMap((n) => [
    reluSquaredGradientCase(n, 3),
    reluSquaredGradientCase(n, 2400),
  ]),
  reluSquared: [1, 4, 7, 251].flatMap((n) => [reluSquaredCase(n, 3), reluSquaredCase(n, 2400)]),
  add: [1, 4, 7, 251].flatMap((n) => [addCase(n, 3, true), addCase(n, 2400, false)]),
  secondMoments: [1, 2, 31, 65, 129, 330].flatMap((n) => [
    secondMomentsCase(n, 1, 1, 1),
    secondMomentsCase(n, 33, 0.3, 2),
    secondMomentsCase(n, 131, 1, 1),
  ]),
  listNonzeros: [1, 7, 130].flatMap((n) => [
    listNonzerosCase(n, 3, 1),
    listNonzerosCase(n, 2400, 2),
    listNonzerosCase(n, 20, 6),
  ]),
  sparseMoments: [1, 2, 63, 65, 650].flatMap((n) => [
    sparseMomentsCase(n, 1, 1),
    sparseMomentsCase(n, 300, 0.3),
  ]),
  columnSums: [1, 2, 63, 65, 251, 4099].flatMap((n) => [
    columnSumsCase(n, 3, 1),
    columnSumsCase(n, 200, 0.3),
  ]),
  columnProducts: [1, 2, 63, 65, 251, 4099].flatMap((n) => [
    columnProductsCase(n, 3),
    columnProductsCase(n, 200),
  ]),
  transcode: [
    ...SCHEME_NAMES.flatMap((scheme) => [
      transcodeGaussian(scheme, 'F32'),
      transcodeGaussian(scheme, 'Q8_0'),
      transcodeGaussian(scheme, scheme),
    ]),
    ...WRITTEN_SCHEMES.flatMap((scheme) => [
      transcodeGaussian('F32', scheme),
      transcodeGaussian('BF16', scheme),
      transcodeGaussian('F32', scheme, importances(512)),
    ]),
    // Five blocks: searches of four blocks at a time have one left over.
    ...WRITTEN_SCHEMES.filter((scheme) => SCHEMES[scheme].blockSize === 32).map((scheme) =>
      transcodeCase('F32', scheme, 20, gaussians(20 * 160, 16), 'Gaussian', importances(160)),
    ),
  ],
  quantizeByRow: [
    ...SCHEME_NAMES.map((scheme) => quantizeByRowCase(scheme, 20, gaussians(20 * 512, 19))),
    // Scales among subnormal halves, where the nearest may be a third too small.
    ...[3e-6, 1e-5, 8e-8].map((size) =>
      quantizeByRowCase(
        'F32',
        300,
        gaussians(300 * 96, 20).map((value) => size * value),
      ),
    ),
  ],
  roundWithFeedback: [
    roundWithFeedbackCase(['F32', 'Q4_0'], 3, 32),
    roundWithFeedbackCase(['BF16', 'Q4_0'], 41, 160),
    roundWithFeedbackCase(['F32', 'Q5_1'], 41, 160, importances(160)),
    roundWithFeedbackCase(['Q8_0', 'Q4_K'], 1, 256, importances(256)),
    ...SCHEME_NAMES.filter((scheme) => SCHEMES[scheme].hasGrid).flatMap((scheme) => [
      roundWithFeedbackCase(['F32', scheme], 5, 512),
      roundWithFeedbackCase(['BF16', scheme], 3, 512, importances(512)),
    ]),
  ],
  eliminateRows: [
    eliminateRowsCase(0, 1, 1, 1, 1),
    eliminateRowsCase(0, 24, 24, 24, 9),
    eliminateRowsCase(8, 15, 15, 15, 40),
    eliminateRowsCase(261, 300, 300, 300, 131),
    eliminateRowsCase(261, 300, 261, 261, 39),
    eliminateRowsCase(7, 60, 20, 31, 29),
  ],
  substituteBack: [
    substituteBackCase(1, 1, 1),
    substituteBackCase(13, 15, 6),
    substituteBackCase(300, 301, 70),
  ],
  reverseFactor: [
    reverseFactorCase(1, 1),
    reverseFactorCase(33, 35),
    reverseFactorCase(64, 64),
    reverseFactorCase(700, 768),
  ],
  conditionalMoments: [1, 31, 256, 600].map(conditionalMomentsCase),
  difference: SCHEME_NAMES.flatMap((scheme) => [
    differenceCase('F32', scheme, columnsFor(scheme)),
    differenceCase(scheme, 'F32', columnsFor(scheme)),
    differenceCase(scheme, 'Q8_0', 512),
  ]),
};

function transcodeGaussian(from: SchemeName, to: SchemeName, importance?: Float32Array): KernelCase {
  const columns = isBlock(from) || isBlock(to) || importance !== undefined ? 512 : 509;
  const rows = to === 'Q8_0' ? 140 : 20;
  return transcodeCase(from, to, rows, gaussians(rows * columns, 14), 'Gaussian', importance);
}

function matmulCases(kernel: 'matmul' | 'matmulTransposed'): KernelCase[] {
  return [
    ...SCHEME_NAMES.flatMap((scheme) => [
      matmulCase(kernel, { scheme, rows: 7, columns: columnsFor(scheme), tokens: 3, batch: 2 }),
      matmulCase(kernel, { scheme, rows: 130, columns: columnsFor(scheme), tokens: 9, batch: 3 }),
      matmulCase(kernel, { scheme, rows: 9, columns: 3 * columnsFor(scheme), tokens: 70 }),
    ]),
    ...odd.map((n) => matmulCase(kernel, { scheme: 'F32', rows: n, columns: 10 - n, tokens: n })),
    ...odd.map((n) => matmulCase(kernel, { scheme: 'BF16', rows: 10 - n, columns: 16 + n, tokens: n })),
  ];
}

for (const [kernel, cases] of Object.entries(CASES)) {
  describe(`WebAssembly ${kernel} equals the plain oracle bit for bit, on any number of threads`, () => {
    const bytes = 64 << 20;
    let oracle: Compute;
    let kernels: Compute[];
    before(async () => {
      oracle = await openPlain(bytes);
      kernels = await Promise.all([1, 2, 5].map((threads) => openCompute({ threads, bytes })));
    });
    after(() => Promise.all([oracle, ...kernels].map((compute) => compute.close())));

    for (const { name, run } of cases) {
      it(name, () => {
        const expected = run(oracle);
        assert.ok(expected.some((byte) => byte !== 0));
        for (const compute of kernels) {
          const same = Buffer.compare(run(compute), expected) === 0;
          assert.ok(same, `${compute.threads} threads differ`);
        }
      });
    }
  });
}

describe('WebAssembly transcode gives the bytes of ggml', () => {
  const ROWS = 16;
  const COLUMNS = 512;
  const BLOCK_SCHEMES = WRITTEN_SCHEMES.filter(isBlock);
  for (const scheme of BLOCK_SCHEMES) {
    for (const [sample, make] of Object.entries(WEIGHT_SAMPLES)) {
      const weights = make(ROWS * COLUMNS);
      for (const importance of [undefined, importances(COLUMNS)]) {
        const { name, run } = transcodeCase('F32', scheme, ROWS, weights, sample, importance);
        it(name, async () => {
          const compute = await openCompute({ threads: 1, bytes: 1 << 20 });
          assertSameBytes(run(compute), quantizeChunk(scheme, weights, ROWS, COLUMNS, importance), scheme);
        });
      }
    }
  }

  it('also from values that are not finite', async () => {
    const compute = await openCompute({ threads: 1, bytes: 1 << 20 });
    const weights = gaussians(ROWS * COLUMNS, 15);
    for (let i = 0; i < weights.length; i += 77) weights[i] = [Infinity, -Infinity, NaN, 3e38][i % 4]!;
    for (const scheme of BLOCK_SCHEMES) {
      const bytes = transcodeCase('F32', scheme, ROWS, weights, 'broken').run(compute);
      assertSameBytes(bytes, quantizeChunk(scheme, weights, ROWS, COLUMNS), scheme);
    }
  });

  it('f16 and bf16 of every upper half of f32, as the plain encoders do', async () => {
    const compute = await openCompute({ threads: 1, bytes: 16 << 20 });
    const lower = [0, 1, 0x0fff, 0x1000, 0x1001, 0x3000, 0x7fff, 0x8000, 0x8001];
    const words = Uint32Array.from(
      { length: 65536 * lower.length },
      (_, i) => ((i % 65536) << 16) | lower[i >> 16]!,
    );
    const weights = new Float32Array(words.buffer);
    for (const scheme of ['F16', 'BF16'] as const) {
      const bytes = transcodeCase('F32', scheme, lower.length, weights, 'all').run(compute);
      assert.equal(Buffer.compare(bytes, stored(scheme, weights)), 0, scheme);
    }
  });

  it('every f16 as f32, as the plain decoder does', async () => {
    const compute = await openCompute({ threads: 1, bytes: 4 << 20 });
    const plain = await openPlain(4 << 20);
    const halves = new Uint8Array(Uint16Array.from({ length: 65536 }, (_, i) => i).buffer);
    const [ours, theirs] = [compute, plain].map((memory) => {
      const [source, target] = [memory.alloc(halves.length), memory.alloc(4 * 65536)];
      memory.bytes(source, halves.length).set(halves);
      memory.run('transcode', {
        source,
        sourceScheme: 1,
        sourceRowBytes: 131072,
        target,
        targetScheme: 0,
        targetRowBytes: 262144,
        rows: 1,
        columns: 65536,
        importance: 0,
      });
      return memory.bytes(target, 262144).slice();
    });
    assert.equal(Buffer.compare(ours!, theirs!), 0);
  });
});

describe('WebAssembly does what SCHEMES says of a scheme', () => {
  const COLUMNS = 256;
  const job = (scheme: SchemeName, at: Pointer) => ({
    source: at,
    sourceScheme: SCHEMES.F32.ggmlType,
    sourceRowBytes: 4 * COLUMNS,
    target: at + 4 * COLUMNS,
    targetScheme: SCHEMES[scheme].ggmlType,
    targetRowBytes: schemeBytes(scheme, COLUMNS),
    rows: 1,
    columns: COLUMNS,
  });
  const runs = (run: () => void) => {
    try {
      run();
      return true;
    } catch {
      return false;
    }
  };
  for (const scheme of SCHEME_NAMES.filter((name) => name !== 'F32')) {
    it(scheme, async () => {
      const compute = await openCompute({ threads: 1, bytes: 1 << 20 });
      const [at, factor] = [compute.alloc(8 * COLUMNS), compute.alloc(2 * COLUMNS * COLUMNS)];
      const { canEncode, hasGrid } = SCHEMES[scheme];
      const encodes = () => compute.run('transcode', { ...job(scheme, at), importance: 0 });
      const feeds = () =>
        compute.run('roundWithFeedback', {
          ...job(scheme, at),
          importance: 0,
          factor,
          pivots: 0,
          conditional: 0,
          refits: 0,
        });
      assert.deepEqual([runs(encodes), runs(feeds)], [canEncode, hasGrid]);
      await compute.close();
    });
  }
});
