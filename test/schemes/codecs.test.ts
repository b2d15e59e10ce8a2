import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { schemeBytes } from '../../src/core/scheme.ts';
import { CODECS, canDecode, canEncode, codecOf } from '../../src/schemes/index.ts';
import { dequantize, floatRow, type GgmlDecodable, quantizeChunk } from '../support/ggml.ts';
import { WEIGHT_SAMPLES } from '../support/samples.ts';

const QUANTIZED = ['Q4_0', 'Q8_0', 'Q6_K'] as const;
const ROWS = 16;
const COLUMNS = 512;
const COUNT = ROWS * COLUMNS;

function encode(scheme: (typeof CODECS)[number]['scheme'], source: Float32Array): Uint8Array {
  const target = new Uint8Array(schemeBytes(scheme, source.length));
  codecOf(scheme)!.encode!(source, 0, target, 0, source.length);
  return target;
}

function decode(scheme: (typeof CODECS)[number]['scheme'], source: Uint8Array, count: number): Float32Array {
  const target = new Float32Array(count);
  codecOf(scheme)!.decode(source, 0, target, 0, count);
  return target;
}

const bits = (values: Float32Array) => new Uint32Array(values.buffer, values.byteOffset, values.length);

/** Every f16 or bf16 there is. */
const everyHalf = () => new Uint8Array(Uint16Array.from({ length: 65536 }, (_, i) => i).buffer);

/** f32 bit patterns around every rounding decision: each upper half with lower halves next to and at the ties. */
function floatsAroundTies(): Float32Array {
  const lower = [0, 1, 0x0fff, 0x1000, 0x1001, 0x2fff, 0x3000, 0x7fff, 0x8000, 0x8001, 0xf000, 0xffff];
  const words = new Uint32Array(65536 * lower.length);
  for (let upper = 0; upper < 65536; upper++) {
    for (let i = 0; i < lower.length; i++) words[upper * lower.length + i] = (upper << 16) | lower[i]!;
  }
  return new Float32Array(words.buffer);
}

describe('block codecs', () => {
  for (const scheme of QUANTIZED) {
    for (const [name, sample] of Object.entries(WEIGHT_SAMPLES)) {
      it(`${scheme} of ${name} weights has ggml's bytes and decodes to ggml's values`, () => {
        const source = sample(COUNT);
        const ours = encode(scheme, source);
        const theirs = quantizeChunk(scheme, source, ROWS, COLUMNS);
        assert.deepEqual(ours, theirs);
        assert.deepEqual(bits(decode(scheme, ours, COUNT)), bits(dequantize(scheme, theirs, COUNT)));
      });
    }

    it(`${scheme} decodes any bytes as ggml does`, () => {
      // A multiplicative walk reaches every code and, in the scales, all kinds of halves but NaN.
      const source = new Uint8Array(schemeBytes(scheme, COUNT)).map(
        (_, i) => (i * 167 + (i >> 8) * 13) & 0x7b,
      );
      assert.deepEqual(bits(decode(scheme, source, COUNT)), bits(dequantize(scheme, source, COUNT)));
    });

    it(`${scheme} of infinities and NaN has ggml's bytes`, () => {
      const source = WEIGHT_SAMPLES.Gaussian!(COUNT);
      for (let i = 0; i < COUNT; i += 77) source[i] = [Infinity, -Infinity, NaN][i % 3]!;
      assert.deepEqual(encode(scheme, source), quantizeChunk(scheme, source, ROWS, COLUMNS));
    });
  }
});

describe('float codecs', () => {
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

describe('codecs', () => {
  it('work at offsets, without touching what lies around', () => {
    const source = WEIGHT_SAMPLES.Gaussian!(3 * 256);
    for (const { scheme, encode, decode } of CODECS) {
      const bytes = schemeBytes(scheme, 256);
      const target = new Uint8Array(bytes + 10).fill(0xaa);
      encode!(source, 256, target, 5, 256);
      const values = new Float32Array(256 + 2).fill(7);
      decode(target, 5, values, 1, 256);
      assert.deepEqual(
        [...target.subarray(0, 5), ...target.subarray(5 + bytes)],
        Array(10).fill(0xaa),
        scheme,
      );
      assert.deepEqual([values[0], values[257]], [7, 7], scheme);
      const whole = new Uint8Array(bytes);
      encode!(source.slice(256, 512), 0, whole, 0, 256);
      assert.deepEqual(target.subarray(5, 5 + bytes), whole, scheme);
    }
  });

  it('are found by scheme; schemes without a codec are known to be missing', () => {
    assert.equal(codecOf('Q8_0')?.scheme, 'Q8_0');
    assert.equal(codecOf('IQ2_XS'), undefined);
    assert.deepEqual([canDecode('Q6_K'), canEncode('Q6_K')], [true, true]);
    assert.deepEqual([canDecode('TQ1_0'), canEncode('TQ1_0')], [false, false]);
  });
});

// Keeps the list of schemes that the library decodes in step with ours.
QUANTIZED satisfies readonly GgmlDecodable[];
