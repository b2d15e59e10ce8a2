import type { PlmConfig } from '../src/core/config.ts';
import type { LayerRole } from '../src/core/names.ts';
import { type MomentSite, siteSizes, triangleSize } from '../src/runtime/activation-sums.ts';

/** Matrices whose inputs' second moments can be gathered; kv_a_proj_with_mqa has those of q_proj. */
export const MOMENT_ROLES = ['q_proj', 'kv_b_proj', 'o_proj', 'up_proj', 'down_proj'] as const;

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
export interface MomentsWanted {
  readonly role: MomentRole;
  readonly layer: number;
  readonly site: MomentSite;
  readonly channels: number;
}

/**
 * Divides the second moments of the inputs of all `roles` into groups of at most `budget` bytes of sums, one matrix at
 * least. The text is read once for each group: at once they may not fit.
 */
export function momentGroups(
  config: PlmConfig,
  roles: readonly MomentRole[],
  budget: number,
): MomentsWanted[][] {
  const groups: MomentsWanted[][] = [[]];
  let left = budget;
  for (const [layer, width] of config.intermediateSizes.entries()) {
    for (const role of roles) {
      const site = INPUTS[role]!;
      const channels = siteSizes(config, width)[site].columns;
      const bytes = 8 * triangleSize(channels);
      if (bytes > left && groups.at(-1)!.length > 0) {
        groups.push([]);
        left = budget;
      }
      groups.at(-1)!.push({ role, layer, site, channels });
      left -= bytes;
    }
  }
  return groups;
}
