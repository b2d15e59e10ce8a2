import type { Model } from '../core/model.ts';

/**
 * Rewrites a model into an equal one with another storage. A pass works on metadata only: the tensors it
 * returns read and rearrange their source when they are read. It says what it did in `Model.changes`, and
 * returns the model itself where there is nothing to do.
 */
export interface Pass {
  readonly name: string;
  /** One line for `plmpress passes`. */
  readonly summary: string;
  run(model: Model): Model;
}
