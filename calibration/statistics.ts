import type { PlmConfig } from '../src/core/config.ts';
import { headGgufName, type LayerRole, layerGgufName, plmTensors } from '../src/core/names.ts';
import type { StatisticSlot } from '../src/core/statistic-slot.ts';
import { SAMPLE_WORDS } from '../src/core/statistics.ts';
import { type ActivationStatistics, triangleSize } from '../src/runtime/activation-sums.ts';
import { INPUTS, type MomentsWanted } from './moments.ts';

/** An array of a statistics file, and where its values come from. */
export interface StatisticSource extends StatisticSlot {
  /** Which reading of the texts gives it. */
  readonly reading: number;
  readonly values: (sums: ActivationStatistics) => Float64Array | Uint16Array;
}

/** Sums by channel, from the first reading: all that a calibration gathers but second moments. */
export function sumSlots(config: PlmConfig): StatisticSource[] {
  const inputs = plmTensors(config).flatMap(({ role, layer, ggufName, shape }): SumSlot[] => {
    const site = INPUTS[role as LayerRole];
    if (layer === undefined || ggufName === undefined || site === undefined) return [];
    const values = (sums: ActivationStatistics) => sums.layers[layer]!.squares[site];
    return [{ matrix: ggufName, kind: 'input', shape: [shape[1]!], values }];
  });
  const further = config.intermediateSizes.flatMap((width, layer) => layerExtras(config, layer, width));
  return [...inputs, ...further, headInput(config)].map((slot) => ({ ...slot, reading: 0 }));
}

type SumSlot = Omit<StatisticSource, 'reading'>;

/** The second moments of all groups, one reading each. */
export function momentSlots(groups: readonly (readonly MomentsWanted[])[]): StatisticSource[] {
  return groups.flatMap((group, reading) =>
    group.map(({ matrix, channels }, index) => ({
      matrix,
      kind: 'moments' as const,
      reading,
      shape: [triangleSize(channels)],
      values: ({ moments }: ActivationStatistics) => moments[index]!,
    })),
  );
}

function layerExtras(config: PlmConfig, layer: number, width: number): SumSlot[] {
  const { numAttentionHeads: heads, qkNopeHeadDim, kvLoraRank, hiddenSize, kvBForm } = config;
  const name = (role: LayerRole) => layerGgufName(role, layer)!;
  const neurons: SumSlot[] = [
    {
      matrix: name('up_proj'),
      kind: 'firings',
      shape: [width],
      values: ({ layers }) => layers[layer]!.firings,
    },
    {
      matrix: name('up_proj'),
      kind: 'fired',
      shape: [width, SAMPLE_WORDS],
      values: ({ layers }) => layers[layer]!.fired,
    },
    {
      matrix: name('down_proj'),
      kind: 'sums',
      shape: [width],
      values: ({ layers }) => layers[layer]!.activations,
    },
    {
      matrix: name('down_proj'),
      kind: 'output',
      shape: [hiddenSize],
      values: ({ layers }) => layers[layer]!.squares.ffnOutput,
    },
  ];
  if (kvBForm === 'premultiplied') return neurons;
  return [
    ...neurons,
    // kv_b_proj as arch deepseek2 splits it: W_UK^T and W_UV of every head.
    {
      matrix: name('k_b_proj'),
      kind: 'extra-input',
      shape: [heads, qkNopeHeadDim],
      values: ({ layers }) => layers[layer]!.squares.query,
    },
    {
      matrix: name('v_b_proj'),
      kind: 'extra-input',
      shape: [heads, kvLoraRank],
      values: ({ layers }) => layers[layer]!.squares.context,
    },
  ];
}

function headInput(config: PlmConfig): SumSlot {
  const shape = [config.hiddenSize];
  return { matrix: headGgufName(config), kind: 'extra-input', shape, values: ({ head }) => head };
}
