import type { Claim } from './claim.ts';
import { DIVERGENCE_CLAIMS } from './divergences.ts';
import { GEOMETRY_CLAIMS } from './geometry.ts';

/** What takes seconds to measure; speeds and whole texts are for `npm run bench`. */
export const CLAIMS: readonly Claim[] = [...GEOMETRY_CLAIMS, ...DIVERGENCE_CLAIMS];
