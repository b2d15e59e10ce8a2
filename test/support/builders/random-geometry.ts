import type { PlmConfig } from '../../../src/core/config.ts';
import { SMALL_PLM } from './hollow-model.ts';
import { uniform } from './samples.ts';

/** A PLM whose sizes no engine favours: few of them are multiples of anything. */
export function randomGeometry(seed: number): PlmConfig {
  const next = uniform(seed);
  const between = (first: number, last: number) => first + Math.floor(next() * (last - first + 1));
  const layers = between(1, 3);
  const isBiased = next() < 0.4;
  return {
    ...SMALL_PLM,
    vocabSize: between(262, 300),
    hiddenSize: between(33, 90),
    numHiddenLayers: layers,
    numAttentionHeads: 2 * between(0, 3) + 1,
    intermediateSizes: Array.from({ length: layers }, () => between(20, 130)),
    kvLoraRank: between(10, 70),
    qLoraRank: next() < 0.3 ? between(10, 40) : undefined,
    qkNopeHeadDim: between(5, 40),
    qkRopeHeadDim: 2 * between(1, 12),
    vHeadDim: between(5, 40),
    ropeInterleave: next() < 0.5,
    maxPositionEmbeddings: 32,
    tieWordEmbeddings: next() < 0.6,
    ...(isBiased && { ffnBias: true }),
  };
}
