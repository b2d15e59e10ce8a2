import { unknownName } from '../core/text/unknown-name.ts';
import { absorbMla } from './absorb-mla.ts';
import { dedupeTensors } from './dedupe-tensors.ts';
import { foldNorms } from './fold-norms.ts';
import { joinKvB } from './join-kv-b.ts';
import type { Pass } from './pass.ts';
import { permuteRope } from './permute-rope.ts';
import { pruneFfn } from './prune/prune-ffn.ts';
import { reorderNeurons } from './reorder-neurons.ts';
import { rotateLatent } from './rotate-latent.ts';
import { scaleFfn } from './scale-ffn.ts';
import { scaleInputs } from './scale-inputs.ts';
import { trimVocab } from './trim-vocab.ts';

/** Every pass, in the order in which `plmpress passes` lists them. */
export const PASSES: readonly Pass[] = [
  dedupeTensors,
  trimVocab,
  permuteRope,
  pruneFfn,
  reorderNeurons,
  foldNorms,
  rotateLatent,
  scaleInputs,
  scaleFfn,
  absorbMla,
  joinKvB,
];

export function passNamed(name: string): Pass | undefined {
  return PASSES.find((pass) => pass.name === name);
}

/** Throws `usage`, with the names that there are, for one that no pass has. */
export function knownPass(name: string): Pass {
  const pass = passNamed(name);
  if (pass !== undefined) return pass;
  throw unknownName(
    'pass',
    name,
    PASSES.map((known) => known.name),
  );
}
