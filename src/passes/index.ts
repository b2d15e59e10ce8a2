import { absorbMla } from './absorb-mla.ts';
import { foldNorms } from './fold-norms.ts';
import type { Pass } from './pass.ts';
import { permuteRope } from './permute-rope.ts';
import { rotateLatent } from './rotate-latent.ts';
import { scaleFfn } from './scale-ffn.ts';
import { trimVocab } from './trim-vocab.ts';

/** Every pass, in the order in which `plmpress passes` lists them. */
export const PASSES: readonly Pass[] = [permuteRope, foldNorms, rotateLatent, scaleFfn, trimVocab, absorbMla];

export function passNamed(name: string): Pass | undefined {
  return PASSES.find((pass) => pass.name === name);
}
