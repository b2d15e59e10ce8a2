import type { PlmConfig } from '../src/core/config.ts';
import { headGgufName, type LayerRole, layerGgufName } from '../src/core/names.ts';
import {
  type MomentPlace,
  type MomentSite,
  siteSizes,
  triangleSize,
} from '../src/runtime/activation-sums.ts';

/**
 * Matrices whose inputs' second moments can be gathered; kv_a_proj_with_mqa has those of q_proj, and a tied
 * embedding those of lm_head.
 */
export const MOMENT_ROLES = ['q_proj', 'kv_b_proj', 'o_proj', 'up_proj', 'down_proj', 'lm_head'] as const;

export type MomentRole = (typeof MOMENT_ROLES)[number];

/** What each matrix of a layer is multiplied with; q_b_proj has no place in a GGUF. */
export const INPUTS: Partial<Record<LayerRole, MomentSite>> = {
  q_proj: 'input',
  kv_a_proj_with_mqa: 'input',
  kv_b_proj: 'latent',
  o_proj: 'attended',
  up_proj: 'ffn',
  down_proj: 'activations',
};

/** The second moments of the inputs of one matrix. */
export type MomentsWanted = MomentPlace & {
  /** GGUF name. */
  readonly matrix: string;
  readonly channels: number;
};

/**
 * Divides the second moments of the inputs of all `roles` into groups of at most `budget` bytes of sums, one
 * matrix at least. The text is read once for each group: at once they may not fit.
 */
export function momentGroups(
  config: PlmConfig,
  roles: readonly MomentRole[],
  budget: number,
): MomentsWanted[][] {
  const groups: MomentsWanted[][] = [[]];
  let left = budget;
  for (const wanted of allWanted(config, roles)) {
    const bytes = 8 * triangleSize(wanted.channels);
    if (bytes > left && groups.at(-1)!.length > 0) {
      groups.push([]);
      left = budget;
    }
    groups.at(-1)!.push(wanted);
    left -= bytes;
  }
  return groups;
}

function allWanted(config: PlmConfig, roles: readonly MomentRole[]): MomentsWanted[] {
  const layers = config.intermediateSizes.flatMap((width, layer) =>
    roles.flatMap((role): MomentsWanted[] => {
      if (role === 'lm_head') return [];
      const site = INPUTS[role]!;
      const channels = siteSizes(config, width)[site].columns;
      return [{ matrix: layerGgufName(role, layer)!, layer, site, channels }];
    }),
  );
  if (!roles.includes('lm_head')) return layers;
  return [...layers, { matrix: headGgufName(config), site: 'head', channels: config.hiddenSize }];
}
