import type { PlmConfig } from '../../../src/core/config.ts';
import type { Model } from '../../../src/core/model.ts';
import { plmTensors } from '../../../src/core/names.ts';
import { rowBytes, type Tensor } from '../../../src/core/tensor.ts';
import { toHalf } from '../../../src/schemes/half.ts';
import { hollowModel } from './hollow-model.ts';

/** Of codes that are equally likely from -8 to 7. */
const CODE_DEVIATION = 4.6;
const [BLOCK, BLOCK_BYTES] = [32, 18];

/**
 * A PLM of any size that takes no memory: weights are noise that is made when rows are read, the same at
 * every reading. Matrices are Q4_0, down_proj is F16, vectors are ones of F32; activations keep their size
 * through the layers.
 */
export function noiseModel(config: PlmConfig): Model {
  const tensors = plmTensors(config).map(({ role, name, shape }, index): [string, Tensor] => {
    const scheme = shape.length === 1 ? 'F32' : role === 'down_proj' ? 'F16' : 'Q4_0';
    const size = rowBytes({ shape, scheme });
    const row = { F32: ones, F16: halves, Q4_0: blocks }[scheme](shape.at(-1)!);
    const tensor: Tensor = {
      name,
      scheme,
      shape,
      origin: { file: 0, offset: 0 },
      rowStep: 1,
      async readRows({ first, count }, into) {
        for (let i = 0; i < count; i++) into.set(row((index << 20) + first + i), i * size);
      },
    };
    return [name, tensor];
  });
  return hollowModel(config, { tensors: new Map(tensors) });
}

/** The bytes of a row, until the next call. */
type Row = (seed: number) => Uint8Array;

function ones(columns: number): Row {
  const bytes = new Uint8Array(new Float32Array(columns).fill(1).buffer);
  return () => bytes;
}

/** Signs and mantissas are noise, the exponent is that of 1 / sqrt(columns). */
function halves(columns: number): Row {
  const words = new Uint32Array(columns / 2);
  const exponent = 0x3c00 - (Math.round(Math.log2(columns) / 2 + 0.5) << 10);
  return (seed) => {
    fillNoise(words, seed);
    for (let i = 0; i < words.length; i++) {
      words[i] = (words[i]! & 0x83ff83ff) | exponent | (exponent << 16);
    }
    return new Uint8Array(words.buffer);
  };
}

function blocks(columns: number): Row {
  const bytes = new Uint8Array((columns / BLOCK) * BLOCK_BYTES);
  const words = new Uint32Array(bytes.buffer, 0, bytes.length >> 2);
  const scale = toHalf(1 / (CODE_DEVIATION * Math.sqrt(columns)));
  return (seed) => {
    fillNoise(words, seed);
    for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
      bytes[at] = scale & 0xff;
      bytes[at + 1] = scale >> 8;
    }
    return bytes;
  };
}

/** Xorshift, from a mixed seed on. */
function fillNoise(words: Uint32Array, seed: number): void {
  let state = Math.imul(seed + 1, 0x9e3779b1) | 1;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
}
