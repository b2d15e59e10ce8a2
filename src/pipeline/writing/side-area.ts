import { isDeepStrictEqual } from 'node:util';
import type { Feedback, PlannedTensor } from '../../core/export-plan.ts';
import type { Turns } from '../../core/jobs/turns.ts';
import { triangleSize } from '../../core/statistics.ts';
import type { Compute, Pointer } from '../../kernels/compute.ts';
import { feedbackTriangle } from '../../passes/rounding/feedback.ts';
import { usableImportances } from '../../schemes/usable-importances.ts';
import { feedbackFactors } from '../algebra/feedback-factors.ts';
import type { TensorSink } from './tensor-sink.ts';
import {
  conditionalBytes,
  feedbackBytes,
  importanceBytes,
  pivotBytes,
  triangleBytes,
} from './working-memory.ts';

/** Offsets of the extra inputs of a tensor; 0 for those that it does not have. */
export interface Side {
  readonly importance: Pointer;
  readonly factor: Pointer;
  readonly pivots: Pointer;
  readonly conditional: Pointer;
  readonly refits: 0 | 1;
}

/**
 * Shared memory for what goes along with the tensor that is being transcoded: one at a time, so one area will
 * do.
 */
export class SideArea {
  readonly #compute: Compute;
  readonly #importance: Pointer;
  readonly #factor: Pointer;
  readonly #pivots: Pointer;
  readonly #conditional: Pointer;
  readonly #triangle: Pointer;
  readonly #turns: Turns;
  readonly #signal: AbortSignal | undefined;
  #holds: Partial<Pick<PlannedTensor, 'scheme' | 'importance' | 'feedback'>> = {};

  constructor(compute: Compute, sinks: readonly TensorSink[], turns: Turns, signal: AbortSignal | undefined) {
    const tensors = sinks.map(({ tensor }) => tensor);
    this.#compute = compute;
    this.#importance = compute.alloc(importanceBytes(tensors));
    this.#factor = compute.alloc(feedbackBytes(tensors));
    this.#pivots = compute.alloc(pivotBytes(tensors));
    this.#conditional = compute.alloc(conditionalBytes(tensors));
    this.#triangle = compute.alloc(triangleBytes(tensors));
    this.#turns = turns;
    this.#signal = signal;
  }

  /** Places that hold until the next call for another tensor. */
  async of(tensor: PlannedTensor): Promise<Side> {
    const { importance, feedback, scheme } = tensor;
    // Pieces of one tensor share all three.
    const held = this.#holds;
    if (importance && (importance !== held.importance || scheme !== held.scheme)) {
      const usable = usableImportances(await importance.values(this.#signal), scheme);
      this.#compute.floats(this.#importance, usable.length).set(usable);
    }
    if (feedback && !isDeepStrictEqual(feedback, held.feedback)) await this.#factorize(feedback);
    this.#holds = { scheme, ...(importance && { importance }), ...(feedback && { feedback }) };
    return {
      importance: importance ? this.#importance : 0,
      factor: feedback ? this.#factor : 0,
      pivots: feedback ? this.#pivots : 0,
      conditional: feedback?.descent ? this.#conditional : 0,
      refits: feedback?.refit ? 1 : 0,
    };
  }

  async #factorize(feedback: Feedback): Promise<void> {
    const { size } = feedback.moments;
    const reversed = this.#compute.doubles(this.#triangle, triangleSize(size));
    const least = await feedbackTriangle(feedback, reversed, this.#signal);
    const { columns } = feedback;
    const factors = {
      triangle: this.#triangle,
      size,
      least,
      columns,
      factor: this.#factor,
      pivots: this.#pivots,
      conditional: this.#conditional,
    };
    await feedbackFactors(this.#compute, factors, this.#turns);
  }
}
