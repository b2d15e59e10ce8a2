import type { Claim } from './claim.ts';
import { DIVERGENCE_CLAIMS } from './divergences.ts';
import { GEOMETRY_CLAIMS } from './geometry.ts';
import { RECORDED_CLAIMS } from './recorded.ts';

/** What takes seconds to measure, and what benches have recorded. */
export const CLAIMS: readonly Claim[] = [...GEOMETRY_CLAIMS, ...DIVERGENCE_CLAIMS, ...RECORDED_CLAIMS];
