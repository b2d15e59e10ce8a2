import type { LayerRole } from '../src/core/names.ts';
import type { MomentSite } from '../src/runtime/layer-sums.ts';

/**
 * Matrices whose inputs' second moments can be gathered; kv_a_proj_with_mqa has those of q_proj, and a tied
 * embedding those of lm_head.
 */
export const MOMENT_ROLES = ['q_proj', 'kv_b_proj', 'o_proj', 'up_proj', 'down_proj', 'lm_head'] as const;

export type MomentRole = (typeof MOMENT_ROLES)[number];

/** What each matrix of a layer is multiplied with; q_b_proj has no place in a GGUF. */
export const INPUTS: Partial<Record<LayerRole, Exclude<MomentSite, 'head'>>> = {
  q_proj: 'input',
  kv_a_proj_with_mqa: 'input',
  kv_b_proj: 'latent',
  o_proj: 'attended',
  up_proj: 'ffn',
  down_proj: 'activations',
};

/** What the matrices of `roles` are multiplied with. */
export function momentSites(roles: readonly MomentRole[]): ReadonlySet<MomentSite> {
  return new Set(roles.map((role) => (role === 'lm_head' ? 'head' : INPUTS[role]!)));
}
