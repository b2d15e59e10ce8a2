import { invalidInput } from '../../src/core/errors.ts';
import type { Imatrix } from '../../src/core/imatrix.ts';
import { firstNames } from '../../src/core/name-list.ts';
import type { TensorSlot } from '../../src/core/names.ts';
import { columnCount } from '../../src/core/tensor.ts';

/**
 * Finds the importances of a model's matrices by their GGUF names. Like llama-quantize, it leaves those of the
 * embedding alone where they do not fit, for some tools write them by the token.
 * @throws PressError invalid-input where an entry has not one value a column: it is of another model.
 */
export function matchImportances(slots: readonly TensorSlot[], imatrix: Imatrix) {
  const importances = new Map<string, Float32Array>();
  const misfits: string[] = [];
  const notes = [...imatrix.notes];
  const unknown = new Set(imatrix.entries.keys());
  for (const slot of slots.filter(({ shape }) => shape.length > 1)) {
    const name = slot.ggufName!;
    const values = imatrix.entries.get(name);
    unknown.delete(name);
    if (values === undefined) continue;
    const columns = columnCount(slot);
    if (values.length === columns) importances.set(name, values);
    else if (slot.role !== 'embed_tokens') misfits.push(`${name} (${values.length} for ${columns} columns)`);
    else notes.push(`${imatrix.name}: ${name} has ${values.length} values for ${columns} columns: not used`);
  }
  if (misfits.length > 0) {
    throw invalidInput({ file: imatrix.name, what: `entries of another model: ${firstNames(misfits)}` });
  }
  if (unknown.size > 0) {
    notes.push(`${imatrix.name}: the model has no matrices for these entries: ${firstNames([...unknown])}`);
  }
  return { importances, notes };
}
