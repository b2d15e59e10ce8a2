import { planGguf } from '../../formats/gguf/export.ts';
import { PressError } from '../../src/core/errors.ts';
import type { Model } from '../../src/core/model.ts';
import { plmTensors } from '../../src/core/names.ts';
import { byteLength, rowCount, type Tensor } from '../../src/core/tensor.ts';
import { Tokenizer } from '../../src/tokenizer/tokenizer.ts';

/**
 * Uses all that an accepted model has. Throws where it breaks a promise; a PressError only where it could not
 * have known.
 */
export async function useModel(model: Model): Promise<void> {
  const slots = plmTensors(model.config);
  if (slots.length !== model.tensors.size) throw new Error('other tensors than those of the config');
  for (const { name, shape } of slots) {
    const tensor = model.tensors.get(name);
    if (tensor?.shape.join() !== shape.join()) throw new Error(`${name} has another shape`);
    await readAll(tensor);
  }
  for (const note of model.notes) {
    if (note.length > 2000) throw new Error(`a note of ${note.length} characters`);
  }
  useTokenizer(new Tokenizer(model.tokenizer));
  planned(() => planGguf(model, { recipe: 'q4_k_m', arch: 'plm' }));
}

async function readAll(tensor: Tensor): Promise<void> {
  const rows = rowCount(tensor);
  const bytes = new Uint8Array(byteLength(tensor));
  await tensor.readRows({ first: 0, count: rows }, bytes);
}

/** Ids of a text lead back to it. */
export function useTokenizer(tokenizer: Tokenizer): void {
  const text = 'the <|im_end|> é 𝔘1';
  const back = tokenizer.decode(tokenizer.encode(text), { skipSpecial: true });
  if (back !== text && back !== text.normalize('NFC')) throw new Error(`the text comes back as ${back}`);
}

/** Exporters may refuse what they do not hold, in their way. */
function planned(plan: () => unknown): void {
  try {
    plan();
  } catch (error) {
    if (!(error instanceof PressError)) throw error;
  }
}
