import type { Change, Model } from '../core/model.ts';

/** Values of a pass's options, by name. */
export type PassOptions = Readonly<Record<string, number | string>>;

/**
 * Rewrites a model into an equal one with another storage. A pass works on metadata only: the tensors it
 * returns read and rearrange their source when they are read. It says what it did in `Model.changes`, and
 * returns the model itself where there is nothing to do.
 */
export interface Pass<Options extends PassOptions = PassOptions> {
  readonly name: string;
  /** One line for `plmpress passes`. */
  readonly summary: string;
  /** Every option with its default, whose type is that of the option. */
  readonly defaults: Options;
  /** Why the pass cannot run on a model, one reason each. Left out where it always can. */
  requires?(model: Model, options: Options): string[];
  run(model: Model, options: Options): Model;
}

/** Adds what a pass has changed to a model. */
export function withChanges(
  model: Model,
  changes: readonly Change[],
  parts: Partial<Pick<Model, 'tensors' | 'config' | 'tokenizer'>>,
): Model {
  return { ...model, ...parts, changes: [...model.changes, ...changes] };
}
