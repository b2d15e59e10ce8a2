import { type CacheForm, type PlmConfig, qkHeadDim } from '../../core/config.ts';
import { plmTensors } from '../../core/names.ts';
import { elementCount } from '../../core/tensor.ts';

/**
 * Multiplications with addition that the next token takes after `context` others. Every matrix is applied
 * once, in either form: absorbing kv_b into queries and outputs applies its halves instead of expanding with
 * them.
 */
export function decodeMacs(config: PlmConfig, form: CacheForm, context: number): number {
  const matrices = plmTensors(config).filter(
    // An embedding that is not the head too is only looked up.
    ({ role, shape }) => shape.length > 1 && (role !== 'embed_tokens' || config.tieWordEmbeddings),
  );
  const weights = matrices.reduce((sum, slot) => sum + elementCount(slot), 0);
  return weights + config.numHiddenLayers * config.numAttentionHeads * headWidth(config, form) * context;
}

/** Multiplications of one head with one cached token: its score, and its share of the output. */
function headWidth(config: PlmConfig, form: CacheForm): number {
  return form === 'latent'
    ? 2 * config.kvLoraRank + config.qkRopeHeadDim
    : qkHeadDim(config) + config.vHeadDim;
}
