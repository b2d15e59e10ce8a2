import { absorbMla } from './absorb-mla.ts';
import type { Pass } from './pass.ts';
import { permuteRope } from './permute-rope.ts';

/** Every pass, in the order in which `plmpress passes` lists them. */
export const PASSES: readonly Pass[] = [permuteRope, absorbMla];

export function passNamed(name: string): Pass | undefined {
  return PASSES.find((pass) => pass.name === name);
}
