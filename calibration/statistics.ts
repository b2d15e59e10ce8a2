import type { PlmConfig } from '../src/core/config.ts';
import { headGgufName, type LayerRole, layerGgufName, plmTensors } from '../src/core/names.ts';
import type { StatisticSlot } from '../src/core/statistic-slot.ts';
import { SAMPLE_WORDS, triangleSize } from '../src/core/statistics.ts';
import { type HeadStatistics, type LayerStatistics, siteSizes } from '../src/runtime/layer-sums.ts';
import { INPUTS, type MomentRole } from './moments.ts';

/** An array of a statistics file, and where its values come from. */
export type StatisticSource = LayerSource | HeadSource;

export interface LayerSource extends StatisticSlot {
  readonly layer: number;
  readonly values: (sums: LayerStatistics) => Float64Array | Uint16Array;
}

export interface HeadSource extends StatisticSlot {
  readonly layer: undefined;
  readonly values: (sums: HeadStatistics) => Float64Array;
}

/** All that a calibration gathers, with the second moments of the inputs of `roles`. */
export function statisticSources(config: PlmConfig, roles: readonly MomentRole[]): StatisticSource[] {
  const layers = config.intermediateSizes.flatMap((_, layer) => [
    ...layerSums(config, layer),
    ...layerMoments(config, layer, roles),
  ]);
  return [...layers, ...headSources(config, roles)];
}

function layerSums(config: PlmConfig, layer: number): LayerSource[] {
  const inputs = plmTensors(config).flatMap(({ role, layer: own, ggufName, shape }): LayerSource[] => {
    const site = INPUTS[role as LayerRole];
    if (own !== layer || ggufName === undefined || site === undefined) return [];
    return [
      { matrix: ggufName, kind: 'input', shape: [shape[1]!], layer, values: ({ squares }) => squares[site] },
    ];
  });
  return [...inputs, ...layerExtras(config, layer)];
}

function layerMoments(config: PlmConfig, layer: number, roles: readonly MomentRole[]): LayerSource[] {
  const sizes = siteSizes(config, config.intermediateSizes[layer]!);
  return roles.flatMap((role): LayerSource[] => {
    if (role === 'lm_head') return [];
    const site = INPUTS[role]!;
    const shape = [triangleSize(sizes[site].columns)];
    const matrix = layerGgufName(role, layer)!;
    return [{ matrix, kind: 'moments', shape, layer, values: ({ moments }) => moments.get(site)! }];
  });
}

function layerExtras(config: PlmConfig, layer: number): LayerSource[] {
  const { numAttentionHeads: heads, qkNopeHeadDim, kvLoraRank, hiddenSize, kvBForm } = config;
  const width = config.intermediateSizes[layer]!;
  const name = (role: LayerRole) => layerGgufName(role, layer)!;
  const neurons: LayerSource[] = [
    {
      matrix: name('up_proj'),
      kind: 'firings',
      shape: [width],
      layer,
      values: ({ firings }) => firings,
    },
    {
      matrix: name('up_proj'),
      kind: 'fired',
      shape: [width, SAMPLE_WORDS],
      layer,
      values: ({ fired }) => fired,
    },
    {
      matrix: name('down_proj'),
      kind: 'sums',
      shape: [width],
      layer,
      values: ({ activations }) => activations,
    },
    {
      matrix: name('down_proj'),
      kind: 'output',
      shape: [hiddenSize],
      layer,
      values: ({ squares }) => squares.ffnOutput,
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
      layer,
      values: ({ squares }) => squares.query,
    },
    {
      matrix: name('v_b_proj'),
      kind: 'extra-input',
      shape: [heads, kvLoraRank],
      layer,
      values: ({ squares }) => squares.context,
    },
  ];
}

function headSources(config: PlmConfig, roles: readonly MomentRole[]): HeadSource[] {
  const matrix = headGgufName(config);
  const shape = [config.hiddenSize];
  const squares: HeadSource = {
    matrix,
    kind: 'extra-input',
    shape,
    layer: undefined,
    values: (sums) => sums.squares,
  };
  if (!roles.includes('lm_head')) return [squares];
  const moments: HeadSource = {
    matrix,
    kind: 'moments',
    shape: [triangleSize(config.hiddenSize)],
    layer: undefined,
    values: (sums) => sums.moments!,
  };
  return [squares, moments];
}
