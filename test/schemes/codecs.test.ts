import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SCHEMES, type SchemeName, schemeBytes, WRITTEN_SCHEMES } from '../../src/core/scheme.ts';
import { decoderOf } from '../../src/schemes/index.ts';
import { hasBlockScales, multiplyBlocks } from '../../src/schemes/power-of-two.ts';
import { assertSameBytes } from '../support/builders/blocks.ts';
import { arbitraryBlocks, importances, WEIGHT_SAMPLES } from '../support/builders/samples.ts';
import { dequantize, floatRow, quantizeChunk } from '../support/oracles/ggml.ts';
import { encoderOf } from '../support/oracles/schemes/index.ts';

type BlockScheme = Exclude<SchemeName, 'F32' | 'F16' | 'BF16'>;

const BLOCK_SCHEMES = (Object.keys(SCHEMES) as SchemeName[]).filter(
  (scheme): scheme is BlockScheme => !['F32', 'F16', 'BF16'].includes(scheme),
);
const ROWS = 16;
const COLUMNS = 512;
const COUNT = ROWS * COLUMNS;

/** Row by row, as some schemes measure a row where there are importances. */
function encode(scheme: SchemeName, source: Float32Array, importance?: Float32Array): Uint8Array {
  const target = new Uint8Array(schemeBytes(scheme, source.length));
  const columns = importance?.length ?? source.length;
  for (let i = 0; i < source.length; i += columns) {
    encoderOf(scheme)(source, i, target, schemeBytes(scheme, i), columns, importance);
  }
  return target;
}

function decode(scheme: SchemeName, source: Uint8Array, count: number): Float32Array {
  const target = new Float32Array(count);
  decoderOf(scheme)(source, 0, target, 0, count);
  return target;
}

const bits = (values: Float32Array) => new Uint32Array(values.buffer, values.byteOffset, values.length);

/** Every f16 or bf16 there is. */
const everyHalf = () => new Uint8Array(Uint16Array.from({ length: 65536 }, (_, i) => i).buffer);

/**
 * f32 bit patterns around every rounding decision: each upper half with lower halves next to and at the ties.
 */
function floatsAroundTies(): Float32Array {
  const lower = [0, 1, 0x0fff, 0x1000, 0x1001, 0x2fff, 0x3000, 0x7fff, 0x8000, 0x8001, 0xf000, 0xffff];
  const words = new Uint32Array(65536 * lower.length);
  for (let upper = 0; upper < 65536; upper++) {
    for (let i = 0; i < lower.length; i++) words[upper * lower.length + i] = (upper << 16) | lower[i]!;
  }
  return new Float32Array(words.buffer);
}

for (const scheme of BLOCK_SCHEMES) {
  describe(`${scheme} in TypeScript`, () => {
    it('decodes any blocks as ggml does', () => {
      // Enough blocks of 256 to reach nearly every row of the grids of 2048.
      const count = 1024 * 256;
      const source = arbitraryBlocks(scheme, schemeBytes(scheme, count));
      assert.deepEqual(bits(decode(scheme, source, count)), bits(dequantize(scheme, source, count)));
    });
    it('multiplies blocks by powers of two without rounding a weight, or tells that a scale overflows', () => {
      assert.equal(hasBlockScales(scheme), scheme !== 'IQ1_M');
      if (!hasBlockScales(scheme)) return;
      const [count, blockCount] = [schemeBytes(scheme, 256), 256];
      const blocks = arbitraryBlocks(scheme, count * blockCount);
      let multiplied = 0;
      for (let at = 0; at < blocks.length; at += count) {
        const block = blocks.subarray(at, at + count);
        const before = dequantize(scheme, block, 256);
        for (const exponent of [1, 12]) {
          const product = block.slice();
          if (!multiplyBlocks(scheme, product, exponent)) continue;
          multiplied++;
          const expected = before.map((value) => value * 2 ** exponent);
          assert.deepEqual(dequantize(scheme, product, 256), expected);
        }
      }
      assert.ok(multiplied > blockCount / 4, `${multiplied}`);
      const largest = new Uint8Array(SCHEMES[scheme].blockBytes).fill(0x7b);
      if (scheme === 'MXFP4') largest[0] = 253;
      assert.equal(multiplyBlocks(scheme, largest, 2), false);
    });
    if (!SCHEMES[scheme].canEncode) return;

    for (const [name, sample] of Object.entries(WEIGHT_SAMPLES)) {
      it(`gives ggml's bytes for ${name} weights, with and without importances`, () => {
        const source = sample(COUNT);
        const [plain, weighed] = [undefined, importances(COLUMNS)].map((importance) => {
          const theirs = quantizeChunk(scheme, source, ROWS, COLUMNS, importance);
          assertSameBytes(encode(scheme, source, importance), theirs, scheme);
          return theirs;
        });
        if (name === 'Gaussian') {
          assert.equal(SCHEMES[scheme].weighsErrors, Buffer.compare(plain!, weighed!) !== 0);
        }
      });
    }

    it("gives ggml's bytes for infinities and NaN", () => {
      const source = WEIGHT_SAMPLES.Gaussian!(COUNT);
      for (let i = 0; i < COUNT; i += 77) source[i] = [Infinity, -Infinity, NaN][i % 3]!;
      assertSameBytes(encode(scheme, source), quantizeChunk(scheme, source, ROWS, COLUMNS), scheme);
    });
  });
}

describe('floats in TypeScript', () => {
  for (const scheme of ['F16', 'BF16'] as const) {
    it(`${scheme} rounds as ggml does, NaNs included`, () => {
      const source = floatsAroundTies();
      assert.deepEqual(Buffer.compare(encode(scheme, source), floatRow(scheme, source)), 0);
    });

    it(`${scheme} decodes every pattern as ggml does`, () => {
      const halves = everyHalf();
      assert.deepEqual(bits(decode(scheme, halves, 65536)), bits(dequantize(scheme, halves, 65536)));
    });
  }

  it('every f16 that is a number comes back; NaNs come back as the quiet NaN of their sign', () => {
    const back = new Uint16Array(encode('F16', decode('F16', everyHalf(), 65536)).buffer);
    const isNaNHalf = (half: number) => (half & 0x7fff) > 0x7c00;
    const expected = back.map((_, half) => (isNaNHalf(half) ? (half & 0x8000) | 0x7e00 : half));
    assert.deepEqual(back, expected);
  });

  it('every bf16 comes back, signalling NaNs quieted', () => {
    const back = new Uint16Array(encode('BF16', decode('BF16', everyHalf(), 65536)).buffer);
    const isNaNBfloat = (half: number) => (half & 0x7fff) > 0x7f80;
    assert.deepEqual(
      back,
      back.map((_, half) => (isNaNBfloat(half) ? half | 0x40 : half)),
    );
  });

  it('F32 keeps every bit', () => {
    const source = floatsAroundTies();
    assert.deepEqual(bits(decode('F32', encode('F32', source), source.length)), bits(source));
  });
});

describe('decoders and encoders', () => {
  it('work at offsets, without touching what lies around', () => {
    const source = WEIGHT_SAMPLES.Gaussian!(3 * 256);
    for (const scheme of WRITTEN_SCHEMES) {
      const encode = encoderOf(scheme);
      const bytes = schemeBytes(scheme, 256);
      const target = new Uint8Array(bytes + 10).fill(0xaa);
      encode(source, 256, target, 5, 256);
      const values = new Float32Array(256 + 2).fill(7);
      decoderOf(scheme)(target, 5, values, 1, 256);
      assert.deepEqual(
        [...target.subarray(0, 5), ...target.subarray(5 + bytes)],
        Array(10).fill(0xaa),
        scheme,
      );
      assert.deepEqual([values[0], values[257]], [7, 7], scheme);
      const whole = new Uint8Array(bytes);
      encode(source.slice(256, 512), 0, whole, 0, 256);
      assert.deepEqual(target.subarray(5, 5 + bytes), whole, scheme);
    }
  });
});
