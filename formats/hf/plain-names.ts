import { invalidInput } from '../../src/core/errors.ts';
import { modelTensorName } from '../../src/core/names.ts';
import type { Checkpoint, StoredTensor } from './checkpoint.ts';

/**
 * Modules that wrap others and name them: torch.compile, both names of FSDP, activation checkpointing,
 * DataParallel and DeepSpeed, Lightning Fabric. No module of a PLM has such a name.
 */
const WRAPPER =
  /(?<=^|\.)(?:_orig_mod|_fsdp_wrapped_module|_fpw_module|_checkpoint_wrapped_module|module|_forward_module)\./g;

/** What modeling code calls the transformer inside of the model with a head. */
const BODY = 'model.';

/**
 * Gives tensors their names in a published checkpoint. What stands before `embed_tokens` in the embedding's
 * name stands before all: `model.`, nothing where only the transformer was saved, or also the wrappers and
 * models around it (`_orig_mod.model.`, `base_model.model.model.`). The head may lie in any of these. A name
 * that does not begin so stays, and is none of a PLM. `tensors` come back by their new names; each still
 * knows the stored one.
 * @throws PressError `invalid-input` where two names mean one tensor.
 */
export function withPlainNames(checkpoint: Checkpoint): Checkpoint {
  const { listedIn, tensors: stored } = checkpoint;
  const prefix = bodyPrefix([...stored.keys()]);
  if (prefix === undefined) return checkpoint;
  const tensors = new Map<string, StoredTensor>();
  for (const [name, tensor] of stored) {
    const plain = plainName(name, prefix);
    const twin = tensors.get(plain);
    if (twin !== undefined) {
      const field = `tensor ${JSON.stringify(name)}`;
      throw invalidInput({ file: tensor.file.name, field, what: `means ${plain}, and so does ${twin.name}` });
    }
    tensors.set(plain, tensor);
  }
  const notes = prefix === BODY ? [] : [`${listedIn}: ${prefixNote(prefix)}`];
  return { listedIn, tensors, notes: [...checkpoint.notes, ...notes] };
}

function prefixNote(prefix: string): string {
  if (prefix === '') return `names without ${JSON.stringify(BODY)} are read as if they had it`;
  return `names that begin with ${JSON.stringify(prefix)} are read as ${BODY}…`;
}

/** What stands before `embed_tokens`; undefined where no tensor has such a name. */
function bodyPrefix(names: readonly string[]): string | undefined {
  const prefixes = names.flatMap((name) => prefixBefore('embed_tokens', name) ?? []);
  return prefixes.find((prefix) => prefix === BODY) ?? prefixes[0];
}

function plainName(name: string, prefix: string): string {
  const head = prefixBefore('lm_head', name);
  if (head !== undefined && prefix.startsWith(head)) return modelTensorName('lm_head');
  if (!name.startsWith(prefix)) return name;
  return BODY + name.slice(prefix.length).replace(WRAPPER, '');
}

/** What stands before the weight of `module`; undefined where `name` is not that of such a weight. */
function prefixBefore(module: string, name: string): string | undefined {
  const at = name.lastIndexOf(`${module}.`);
  const isModule = at === 0 || name[at - 1] === '.';
  if (!isModule || name.slice(at).replace(WRAPPER, '') !== `${module}.weight`) return undefined;
  return name.slice(0, at);
}
