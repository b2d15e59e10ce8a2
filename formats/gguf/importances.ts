import { invalidInput } from '../../src/core/errors.ts';
import type { Imatrix } from '../../src/core/imatrix.ts';
import { columnCount } from '../../src/core/tensor.ts';
import { formatCount, formatCounted } from '../../src/core/text/format.ts';
import { firstNames } from '../../src/core/text/name-list.ts';
import type { Content } from './container/contents.ts';

/**
 * Finds the importances of a model's matrices by their GGUF names. Like llama-quantize, it leaves those of
 * the embedding alone where they do not fit, for some tools write them by the token.
 * @throws PressError invalid-input where an entry has not one value per column: it is of another model.
 */
export function matchImportances(contents: readonly Content[], imatrix: Imatrix) {
  const importances = new Map<string, Float32Array>();
  const misfits: string[] = [];
  const notes = [...imatrix.notes];
  const unknown = new Set(imatrix.entries.keys());
  for (const { slot, name, twin = name } of contents.filter(({ slot }) => slot.shape.length > 1)) {
    const values = imatrix.entries.get(name) ?? imatrix.entries.get(twin);
    unknown.delete(name);
    if (values === undefined) continue;
    const columns = columnCount(slot);
    const heads = slot.shape.length > 2 ? slot.shape[0]! : 1;
    if (values.length === columns) importances.set(name, values);
    else if (heads > 1 && values.length === heads * columns) {
      notes.push(`${imatrix.name}: ${name} ignored, its importances are per head`);
    } else if (slot.role !== 'embed_tokens')
      misfits.push(`${name} (${formatCount(values.length)} for ${formatCounted(columns, 'column')})`);
    else
      notes.push(
        `${imatrix.name}: ${name} has ${formatCounted(values.length, 'value')} for ${formatCounted(columns, 'column')}: not used`,
      );
  }
  if (misfits.length > 0) {
    throw invalidInput({ file: imatrix.name, what: `entries of another model: ${firstNames(misfits)}` });
  }
  if (importances.size === 0) {
    const what = `no entry is of this model: ${firstNames([...imatrix.entries.keys()])}`;
    throw invalidInput({ file: imatrix.name, what });
  }
  if (unknown.size > 0) {
    notes.push(`${imatrix.name}: the model has no matrices for these entries: ${firstNames([...unknown])}`);
  }
  return { importances, notes };
}
