import { invalidInput, type PressError } from '../../core/errors.ts';
import type { Imatrix } from '../../core/imatrix.ts';
import type { Model } from '../../core/model.ts';
import { describesGeometry, type Statistics } from '../../core/statistics.ts';

/** What was measured of the activations of a model. */
interface Measured {
  readonly imatrix?: Imatrix | undefined;
  readonly statistics?: Statistics | undefined;
}

/**
 * @throws PressError invalid-input where importances or statistics are those of another model: of more
 * layers, of FFNs of other widths, or without any layer in common.
 */
export function assertSameGeometry({ config }: Model, { imatrix, statistics }: Measured): void {
  const { numHiddenLayers: layers, intermediateSizes } = config;
  if (statistics !== undefined && !describesGeometry(statistics, config)) {
    const got = statistics.widths;
    throw otherModel(statistics.name, 'neurons by layer', summary(got), summary(intermediateSizes));
  }
  if (imatrix === undefined) return;
  const seen = [...imatrix.entries.keys()].map((name) => Number(/^blk\.(\d+)\./.exec(name)?.[1] ?? -1));
  const deepest = seen.reduce((most, layer) => Math.max(most, layer), -1);
  if (deepest >= layers) throw otherModel(imatrix.name, 'layers', deepest + 1, `${layers}`);
}

function summary(widths: readonly number[]): string {
  const first = widths[0] ?? 0;
  return widths.every((width) => width === first)
    ? `${widths.length} x ${first}`
    : `${widths.length} of different widths`;
}

function otherModel(file: string, what: string, got: string | number, expected: string): PressError {
  return invalidInput({ file, what: `does not fit this model: ${what}`, got, expected });
}
