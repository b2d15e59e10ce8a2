import type { PlmConfig } from '../../../src/core/config.ts';
import type { Model } from '../../../src/core/model.ts';
import { plmTensors } from '../../../src/core/names.ts';
import type { SchemeName } from '../../../src/core/scheme.ts';
import type { Tensor } from '../../../src/core/tensor.ts';
import { BYTE_CHARACTERS } from '../../../src/core/tokenizer/byte-alphabet.ts';
import type { TokenizerSpec } from '../../../src/core/tokenizer/tokenizer-spec.ts';

/** Geometry of PLM-1.8B (arXiv 2503.12167). */
export const PLM_1_8B: PlmConfig = {
  vocabSize: 151_936,
  hiddenSize: 2048,
  numHiddenLayers: 32,
  numAttentionHeads: 16,
  intermediateSizes: Array<number>(32).fill(8192),
  kvLoraRank: 512,
  qLoraRank: undefined,
  qkNopeHeadDim: 128,
  qkRopeHeadDim: 64,
  vHeadDim: 128,
  rmsNormEps: 1e-6,
  ropeTheta: 100_000,
  ropeInterleave: true,
  maxPositionEmbeddings: 4096,
  tieWordEmbeddings: true,
};

/** A PLM of two layers that plans in no time. */
export const SMALL_PLM: PlmConfig = {
  ...PLM_1_8B,
  vocabSize: 512,
  hiddenSize: 256,
  numHiddenLayers: 2,
  numAttentionHeads: 4,
  intermediateSizes: [512, 512],
  kvLoraRank: 256,
  qkNopeHeadDim: 48,
  qkRopeHeadDim: 16,
  vHeadDim: 64,
};

/** The bytes, two merges, two control tokens and one that users define; the rest of 512 rows is padding. */
export const SMALL_TOKENIZER: TokenizerSpec = {
  tokens: [...BYTE_CHARACTERS, 'th', 'the', '<|endoftext|>', '<|im_end|>', '<tool>'],
  merges: ['t h', 'th e'],
  added: [
    { id: 258, content: '<|endoftext|>', special: true },
    { id: 259, content: '<|im_end|>', special: true },
    { id: 260, content: '<tool>', special: false },
  ],
  normalizer: 'NFC',
  preTokenizer: 'qwen2',
  bosTokenId: 258,
  eosTokenId: 258,
  padTokenId: 258,
  stopTokenIds: [258, 259],
  addBosToken: false,
  chatTemplate: '{{ messages }}\n{# kept as it is #}',
};

/** A model without bytes: planning must not read any. */
export function hollowModel(
  config: PlmConfig,
  changes: Partial<Model> = {},
  scheme: SchemeName = 'BF16',
): Model {
  const tensors = plmTensors(config).map(({ name, shape }): [string, Tensor] => [
    name,
    {
      name,
      scheme,
      shape,
      origin: { file: 0, offset: 0 },
      rowStep: 1,
      readRows: () => Promise.reject(new Error(`${name} was read`)),
    },
  ]);
  return {
    format: 'safetensors',
    name: 'PLM-1.8B-Instruct',
    config,
    tensors: new Map(tensors),
    tokenizer: SMALL_TOKENIZER,
    generation: {},
    card: {},
    files: [],
    changes: [],
    notes: [],
    ...changes,
  };
}
