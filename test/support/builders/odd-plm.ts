import type { PlmConfig } from '../../../src/core/config.ts';
import { SMALL_PLM } from './hollow-model.ts';

/** A PLM that has all that published ones lack, with sizes that are multiples of nothing. */
export const ODD_PLM: PlmConfig = {
  ...SMALL_PLM,
  vocabSize: 291,
  hiddenSize: 89,
  numHiddenLayers: 2,
  numAttentionHeads: 5,
  intermediateSizes: [113, 47],
  kvLoraRank: 53,
  qLoraRank: 34,
  qkNopeHeadDim: 39,
  qkRopeHeadDim: 14,
  vHeadDim: 22,
  ropeInterleave: false,
  maxPositionEmbeddings: 32,
  tieWordEmbeddings: false,
  ffnBias: true,
};
