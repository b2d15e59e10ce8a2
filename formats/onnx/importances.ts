import { invalidInput } from '../../src/core/errors.ts';
import type { Model } from '../../src/core/model.ts';
import { plmTensors } from '../../src/core/names.ts';
import { columnCount } from '../../src/core/tensor.ts';
import type { ImportancesOf } from './weights/placer.ts';

/**
 * Finds importances by the Hugging Face name of a matrix.
 * @throws PressError invalid-input where an entry has not one value a column: it is of another model.
 */
export function importancesOf({ importances, config }: Pick<Model, 'importances' | 'config'>): ImportancesOf {
  const ggufNames = new Map(plmTensors(config).map(({ name, ggufName }) => [name, ggufName]));
  return (tensor) => {
    const name = ggufNames.get(tensor.name);
    const values = name === undefined ? undefined : importances?.entries.get(name);
    // Some tools write those of the embedding by the token.
    if (values === undefined || tensor.name.includes('embed_tokens')) return undefined;
    const columns = columnCount(tensor);
    if (values.length !== columns) {
      const field = `entry "${name}"`;
      const expected = `${columns}, one a column`;
      throw invalidInput({ file: importances!.name, field, what: 'values', got: values.length, expected });
    }
    return values;
  };
}
