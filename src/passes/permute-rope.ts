import { type PlmConfig, queryNopeDim } from '../core/config.ts';
import type { Change } from '../core/model.ts';
import { layerTensorName } from '../core/names.ts';
import { rowCount, type Tensor } from '../core/tensor.ts';
import type { Pass } from './pass.ts';
import { reorderRows } from './rows/reorder-rows.ts';

const NAME = 'permute-rope';

/**
 * Reorders the rope rows of the query and key projections from pairs (i, i + d/2) to pairs (2i, 2i + 1).
 * Both sides of every q·k product are permuted alike, so attention scores stay what they were.
 */
export const permuteRope = {
  name: NAME,
  summary: 'reorder half-split rope rows of q and k_pe into interleaved pairs, as llama.cpp computes',
  defaults: {},
  run(model) {
    if (model.config.ropeInterleave) return model;
    const tensors = new Map(model.tensors);
    const changes: Change[] = [];
    const queryRole = model.config.qLoraRank === undefined ? 'q_proj' : 'q_b_proj';
    for (let layer = 0; layer < model.config.numHiddenLayers; layer++) {
      for (const [role, interleave] of [
        [queryRole, interleaveHeads],
        ['kv_a_proj_with_mqa', interleaveKey],
      ] as const) {
        const name = layerTensorName(role, layer);
        const tensor = model.tensors.get(name);
        if (tensor === undefined) continue;
        tensors.set(name, interleave(tensor, model.config));
        changes.push(changeOf(name));
      }
    }
    const config = { ...model.config, ropeInterleave: true };
    return { ...model, config, tensors, changes: [...model.changes, ...changes, changeOf('config')] };
  },
  ensures: ({ config }) => (config.ropeInterleave ? [] : ['leaves rope rows in halves']),
} satisfies Pass;

function changeOf(subject: string): Change {
  return {
    pass: NAME,
    subject,
    from: 'rope pairs (i, i + d/2)',
    to: 'rope pairs (2i, 2i + 1)',
    reason: 'the target rotates neighbouring dimensions together',
  };
}

/** Queries: every head holds its nope rows, then its rope rows. */
function interleaveHeads(tensor: Tensor, config: PlmConfig): Tensor {
  return interleaveTail(tensor, queryNopeDim(config) + config.qkRopeHeadDim, config.qkRopeHeadDim);
}

/** Latent and shared key: only the last rows are k_pe. */
function interleaveKey(tensor: Tensor, config: PlmConfig): Tensor {
  const { kvLoraRank, qkRopeHeadDim } = config;
  if (kvLoraRank % qkRopeHeadDim !== 0) return interleaveTail(tensor, rowCount(tensor), qkRopeHeadDim);
  // Groups as small as the rope part keep the reads small; all but the last stay as they are.
  return reorderRows(tensor, qkRopeHeadDim, (row) =>
    row < kvLoraRank ? row : kvLoraRank + sourceOfPair(row - kvLoraRank, qkRopeHeadDim),
  );
}

/** Interleaves the last `dim` rows of every group of `groupRows`. */
function interleaveTail(tensor: Tensor, groupRows: number, dim: number): Tensor {
  return reorderRows(tensor, groupRows, (row) => {
    const start = row - (row % groupRows) + groupRows - dim;
    return row < start ? row : start + sourceOfPair(row - start, dim);
  });
}

/** Position in half-split order of position `k` in interleaved order. */
function sourceOfPair(k: number, dim: number): number {
  return (k >> 1) + (k % 2) * (dim / 2);
}
