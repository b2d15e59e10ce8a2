import { invalidInput, PressError } from '../core/errors.ts';
import type { Model } from '../core/model.ts';
import type { LogitsEngine, OpenEngine, Windows } from './engine.ts';
import { LayeredLogits, type LayeredLogitsOptions } from './layered-logits.ts';
import { type Comparison, compareRows, type RowMetrics, summarize } from './metrics.ts';

export interface CompareOptions extends LayeredLogitsOptions {
  /** Tokens a window; every window starts without a past. Default 256, or fewer where a model knows fewer. */
  readonly contextLength?: number;
  /** The engine that runs the artifact. Default: the reference runtime, with its weights. */
  readonly openArtifact?: OpenEngine;
  /** Hears of every position, in the order of the text. */
  readonly onRow?: (row: RowMetrics) => void;
}

/**
 * Small models are seldom trained on more: the perplexity of plm-tiny is 27 below 256 tokens and 135 at 500.
 */
const DEFAULT_CONTEXT = 256;

/**
 * Runs both models over the same tokens and compares their logits at every position, holding a few rows at a
 * time. `ids` are two tokens at least. Throws `verification` for different vocabularies.
 */
export async function compareModels(
  reference: Model,
  artifact: Model,
  ids: readonly number[],
  options: CompareOptions = {},
): Promise<Comparison> {
  const { vocabSize } = reference.config;
  if (artifact.config.vocabSize !== vocabSize) {
    throw new PressError('verification', {
      field: 'vocab_size',
      what: 'the artifact has another vocabulary than the reference',
      got: artifact.config.vocabSize,
      expected: String(vocabSize),
    });
  }
  if (ids.length < 2)
    throw invalidInput({ what: 'tokens to compare', got: ids.length, expected: 'at least 2' });

  const windows = windowsOf(ids, options.contextLength ?? defaultContext(reference, artifact));
  const left = await LayeredLogits.open(reference, windows, options);
  try {
    const { openArtifact = (of: Windows) => LayeredLogits.open(artifact, of, options) } = options;
    const right = await openArtifact(windows);
    try {
      return await compareEngines(left, right, ids, options);
    } finally {
      await right.close();
    }
  } finally {
    await left.close();
  }
}

/** Tokens of a window where nothing else is asked for. */
export function defaultContext(...models: Model[]): number {
  return Math.min(DEFAULT_CONTEXT, ...models.map((model) => model.config.maxPositionEmbeddings));
}

/** Tokens in windows of `contextLength`, the last of which may be shorter. */
export function windowsOf(ids: readonly number[], contextLength: number): Windows {
  return Array.from({ length: Math.ceil(ids.length / contextLength) }, (_, window) =>
    ids.slice(window * contextLength, (window + 1) * contextLength),
  );
}

/** Compares the logits of two engines that were opened with the windows of `ids`. */
export async function compareEngines(
  reference: LogitsEngine,
  artifact: LogitsEngine,
  ids: readonly number[],
  { progress, onRow }: Pick<CompareOptions, 'progress' | 'onRow'> = {},
): Promise<Comparison> {
  const rows: RowMetrics[] = [];
  progress?.({ kind: 'phase', name: 'compare', total: ids.length, unit: 'tokens' });
  for await (const [a, b] of pairs(reference.logits(), artifact.logits())) {
    const row = compareRows(a, b, ids[rows.length + 1]);
    rows.push(row);
    onRow?.(row);
    progress?.({ kind: 'advance', done: rows.length });
  }
  return { ...summarize(rows), ...firing(reference, artifact) };
}

function firing(
  { firing: ofReference }: LogitsEngine,
  { firing: ofArtifact }: LogitsEngine,
): Pick<Comparison, 'firing'> {
  if (ofReference === undefined && ofArtifact === undefined) return {};
  return {
    firing: {
      ...(ofReference && { reference: ofReference }),
      ...(ofArtifact && { artifact: ofArtifact }),
    },
  };
}

/** Walks two sequences side by side, one step of each at a time. */
async function* pairs<A, B>(a: AsyncIterable<A>, b: AsyncIterable<B>): AsyncGenerator<[A, B]> {
  const other = b[Symbol.asyncIterator]();
  for await (const left of a) {
    const right = await other.next();
    if (right.done) return;
    yield [left, right.value];
  }
}
