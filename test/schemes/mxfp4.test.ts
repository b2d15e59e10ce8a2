import { it } from 'node:test';
import { assertSameBytes } from '../support/builders/blocks.ts';
import { quantizeChunk } from '../support/oracles/ggml.ts';
import { encoded } from '../support/oracles/schemes/index.ts';

const BLOCK_SIZE = 32;
const NEAR = 100;

/** One magnitude a block: up to NEAR floats below each power of two, where log2f begins to round up. */
function belowPowersOfTwo(): Float32Array {
  const words = new Uint32Array(254 * NEAR * BLOCK_SIZE);
  for (let exponent = 1; exponent < 255; exponent++) {
    for (let n = 0; n < NEAR; n++) {
      words[((exponent - 1) * NEAR + n) * BLOCK_SIZE] = ((exponent + 1) << 23) - 1 - n;
    }
  }
  return new Float32Array(words.buffer);
}

it("MXFP4 takes the exponent of ggml's log2f just below powers of two", () => {
  const source = belowPowersOfTwo();
  assertSameBytes(encoded('MXFP4', source), quantizeChunk('MXFP4', source, 1, source.length), 'MXFP4');
});
