import { isCompanionName } from '../../../formats/gguf/companion-name.ts';
import { siblingShardNames } from '../../../formats/gguf/container/shards.ts';
import { usage } from '../../core/errors.ts';
import { firstNames } from '../../core/text/name-list.ts';

/**
 * The path of the GGUF that `org/name:quantization` means, as llama.cpp and Ollama find it: the one whose
 * name ends in the quantization, or else holds it; of a split model, the first shard. Case does not count.
 * @throws PressError `usage` where there is none, or several.
 */
export function quantizedFile(
  repository: string,
  listed: readonly { readonly path: string }[],
  quantization: string,
): string {
  const models = listed.map(({ path }) => path).filter(isModel);
  const wanted = wordsOf(quantization);
  // `UD-Q4_K_M` is another mixture than `Q4_K_M`.
  const isOther = (words: string) => !wanted.startsWith('.ud.') && words.endsWith(`.ud${wanted}`);
  const ends = models.filter((path) => wordsOf(path).endsWith(wanted) && !isOther(wordsOf(path)));
  const found = ends.length > 0 ? ends : models.filter((path) => wordsOf(path).includes(wanted));
  if (found.length === 1) return found[0]!;
  const spec = `${repository}:${quantization}`;
  if (found.length > 1) {
    throw usage(`${spec} may be ${firstNames(found)}`, `one of them, as hf://${repository}/${found[0]}`);
  }
  if (models.length > 0)
    throw usage(`${spec} is not a GGUF of the repository`, `one of ${firstNames(models)}`);
  throw usage(
    `${spec}: the repository contains no GGUF file`,
    `${repository}, which convert --to gguf:… makes one of`,
  );
}

function isModel(path: string): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const isFirst = (siblingShardNames(name)?.[0] ?? name) === name;
  return /^[^.].*\.gguf$/i.test(name) && isFirst && !isCompanionName(name);
}

/** A path without ending and number of the shard, in small letters, with full stops around its words. */
function wordsOf(path: string): string {
  const stem = path.toLowerCase().replace(/(-\d{5}-of-\d{5})?\.gguf$/, '');
  return `.${stem.replace(/[-./]+/g, '.')}.`;
}
