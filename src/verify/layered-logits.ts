import type { Progress } from '../core/jobs/progress.ts';
import type { Model } from '../core/model.ts';
import { machine } from '../kernels/machine.ts';
import { LayeredRuntime } from '../runtime/layered-runtime.ts';
import type { AttentionForm } from '../runtime/plm-runtime.ts';
import type { LogitsEngine, Windows } from './engine.ts';

export interface LayeredLogitsOptions {
  readonly attention?: AttentionForm | undefined;
  readonly countsFirings?: boolean | undefined;
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: Progress | undefined;
}

/** The part of the memory that a head may take to be held, and the most that it may take in any case. */
const HEAD_SHARE = 1 / 8;
const HEAD_BYTES = 2 * 2 ** 30;

/** The reference runtime, with one layer in memory at a time; and the head, where there is room for it. */
export class LayeredLogits implements LogitsEngine {
  readonly #runtime: LayeredRuntime;

  private constructor(runtime: LayeredRuntime) {
    this.#runtime = runtime;
  }

  /**
   * Sends all windows through the layers. The model stays open until the engine is closed.
   * @throws PressError unsupported for schemes without decoder and for expanded attention of a premultiplied
   * model, local-io where the working memory does not fit.
   */
  static async open(model: Model, windows: Windows, options: LayeredLogitsOptions): Promise<LayeredLogits> {
    const { progress, ...running } = options;
    const layers = model.config.numHiddenLayers;
    const tokens = windows.reduce((sum, { length }) => sum + length, 0);
    progress?.({ kind: 'phase', name: 'run layers', total: tokens, unit: 'tokens' });
    let layer = 0;
    const runtime = await LayeredRuntime.open(
      model,
      windows.map((ids) => ({ ids })),
      {
        ...running,
        holdsHead: LayeredRuntime.headBytes(model) <= headLimit(),
        progress: (event) => {
          if (event.kind !== 'advance') return;
          const done = Math.floor((layer * tokens + event.done) / layers);
          progress?.({ kind: 'advance', done, item: `layer ${layer + 1} of ${layers}` });
        },
      },
    );
    try {
      for (; layer < layers; layer++) await runtime.nextLayer();
      return new LayeredLogits(runtime);
    } catch (error) {
      await runtime.close();
      throw error;
    }
  }

  get firing(): readonly number[] | undefined {
    return this.#runtime.firing;
  }

  logits(): AsyncGenerator<Float32Array, void> {
    return this.#runtime.logits();
  }

  close(): Promise<void> {
    return this.#runtime.close();
  }
}

function headLimit(): number {
  return Math.min(HEAD_BYTES, HEAD_SHARE * machine().memory);
}
