import type { PlmConfig } from '../src/core/config.ts';
import { type LayerRole, plmTensors } from '../src/core/names.ts';
import type { Statistic, StatisticSlot } from '../src/core/statistic.ts';
import type { ActivationStatistics, LayerStatistics } from '../src/runtime/activation-sums.ts';

interface Slot extends StatisticSlot {
  readonly values: (sums: ActivationStatistics) => Float64Array;
}

/** What each matrix of a layer is multiplied with; q_b_proj has no place in a GGUF. */
const INPUTS: Partial<Record<LayerRole, keyof LayerStatistics['squares']>> = {
  q_proj: 'input',
  kv_a_proj_with_mqa: 'input',
  kv_b_proj: 'latent',
  o_proj: 'attended',
  up_proj: 'ffn',
  down_proj: 'activations',
};

/** The arrays that a calibration gathers, known before it runs. */
export function statisticSlots(config: PlmConfig): StatisticSlot[] {
  return slots(config);
}

/** The arrays with their values. */
export function statistics(config: PlmConfig, sums: ActivationStatistics): Statistic[] {
  return slots(config).map((slot) => ({ ...slot, values: slot.values(sums) }));
}

function slots(config: PlmConfig): Slot[] {
  const inputs = plmTensors(config).flatMap(({ role, layer, ggufName, shape }): Slot[] => {
    const site = INPUTS[role as LayerRole];
    if (layer === undefined || ggufName === undefined || site === undefined) return [];
    const values = (sums: ActivationStatistics) => sums.layers[layer]!.squares[site];
    return [{ matrix: ggufName, kind: 'input', shape: [shape[1]!], values }];
  });
  const further = config.intermediateSizes.flatMap((width, layer) => layerExtras(config, layer, width));
  return [...inputs, ...further, headInput(config)];
}

function layerExtras(config: PlmConfig, layer: number, width: number): Slot[] {
  const { numAttentionHeads: heads, qkNopeHeadDim, kvLoraRank, kvBForm } = config;
  const name = (matrix: string) => `blk.${layer}.${matrix}.weight`;
  const firings: Slot = {
    ...{ matrix: name('ffn_up'), kind: 'firings', shape: [width] },
    values: ({ layers }) => layers[layer]!.firings,
  };
  if (kvBForm === 'premultiplied') return [firings];
  return [
    firings,
    // kv_b_proj as arch deepseek2 splits it: W_UK^T and W_UV of every head.
    {
      ...{ matrix: name('attn_k_b'), kind: 'extra-input', shape: [heads, qkNopeHeadDim] },
      values: ({ layers }) => layers[layer]!.squares.query,
    },
    {
      ...{ matrix: name('attn_v_b'), kind: 'extra-input', shape: [heads, kvLoraRank] },
      values: ({ layers }) => layers[layer]!.squares.context,
    },
  ];
}

function headInput({ hiddenSize, tieWordEmbeddings }: PlmConfig): Slot {
  const matrix = tieWordEmbeddings ? 'token_embd.weight' : 'output.weight';
  return { matrix, kind: 'extra-input', shape: [hiddenSize], values: ({ head }) => head };
}
