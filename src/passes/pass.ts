import type { Progress } from '../core/jobs/progress.ts';
import type { Change, Model } from '../core/model.ts';
import type { Regress } from './regression.ts';

/** Values of a pass's options, by name. */
export type PassOptions = Readonly<Record<string, number | string>>;

/** What long work inside a pass is done with. */
export interface PassContext {
  /** Passes that fit weights do not run without it. */
  readonly regress?: Regress;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Rewrites a model. A pass works on metadata: the tensors it returns read and rearrange their source when
 * they are read. Only what decides on shapes is measured when it runs. It says what it did in
 * `Model.changes`, keeps `Model.importances` and `Model.statistics` true for the model that comes out, and
 * returns the model itself where there is nothing to do.
 */
export interface Pass<Options extends PassOptions = PassOptions> {
  readonly name: string;
  /** One line for `plmpress passes`. */
  readonly summary: string;
  /** Every option with its default, whose type is that of the option. */
  readonly defaults: Options;
  /** Whether the model computes something else afterwards. Left out where its logits stay, up to rounding. */
  readonly inexact?: true;
  /** Whether it reads `Model.statistics`, without which it cannot run. */
  readonly readsStatistics?: true;
  /** Why the pass cannot run on a model, one reason each. Left out where it always can. */
  requires?(model: Model, options: Options): string[];
  run(model: Model, options: Options, context: PassContext): Model | Promise<Model>;
  /**
   * What holds of every model that comes out, one line for each that does not hold. Left out where shapes say
   * all.
   */
  ensures?(model: Model, options: Options): string[];
}

/** Adds what a pass has changed to a model. */
export function withChanges(
  model: Model,
  changes: readonly Change[],
  parts: Partial<Pick<Model, 'tensors' | 'config' | 'tokenizer' | 'importances' | 'statistics'>>,
): Model {
  return { ...model, ...parts, changes: [...model.changes, ...changes] };
}
