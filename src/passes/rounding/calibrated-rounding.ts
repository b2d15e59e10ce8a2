import { invalidInput, type PressError, usage } from '../../core/errors.ts';
import type { Feedback, Importance } from '../../core/export-plan.ts';
import type { Model } from '../../core/model.ts';
import { headGgufName, type LayerRole, layerGgufName, type Role, type TensorSlot } from '../../core/names.ts';
import type { InputStatistics, Statistics } from '../../core/statistics.ts';
import { formatCounted } from '../../core/text/format.ts';
import { shareOfChance } from './feedback.ts';

/**
 * How hard to try. `fast`: each block is rounded by itself, weighed by importances where there are any.
 * `best`: with error feedback, which takes second moments of the inputs of every matrix that is rounded.
 */
export const QUALITIES = ['fast', 'best'] as const;

export type Quality = (typeof QUALITIES)[number];

/** What the importances and statistics of a model say of the rounding of its matrices. */
export interface CalibratedRounding {
  /** Notes for the user, one line each. */
  readonly notes: readonly string[];
  /**
   * Weights of squared errors, one per column; undefined where nothing is known. `columns`: those that pad
   * rows included.
   */
  importances(slot: TensorSlot, columns?: number): Importance | undefined;
  /** Error feedback, if it is wanted and the slot is one matrix; `columns` as above. */
  feedback(slot: TensorSlot, columns?: number): Feedback | undefined;
}

/** Matrices that share their inputs with another, whose statistics are kept. */
const TWINS: Partial<Record<Role, LayerRole>> = { kv_a_proj_with_mqa: 'q_proj' };

/**
 * Tokens that the mean over all channels counts for beside those that were read: a few may not leave a
 * channel out.
 */
const PRIOR_TOKENS = 256;

/**
 * A tied embedding is looked up too, where every column is worth the same: as much as this share of the mean
 * of its moments as a head. Tried on plm-tiny: 0.1 to 1 are alike, 0 and 10 cost 10 and 20 % more.
 */
const LOOK_UP_SHARE = 0.3;

/**
 * @throws PressError, of its functions: invalid-input where an entry has not one value per column: it is of
 * another model; usage where `best` has no second moments.
 */
export function calibratedRounding(model: Model, quality: Quality): CalibratedRounding {
  const { importances, statistics, config } = model;
  const namesOf = ({ role, layer, ggufName }: TensorSlot): string[] => {
    // The gate that arch deepseek2 has is made of up_proj.
    const inLayer =
      layer === undefined ? undefined : layerGgufName(TWINS[role] ?? (role as LayerRole), layer);
    const isHead = role === 'lm_head' || (role === 'embed_tokens' && config.tieWordEmbeddings);
    const names = [ggufName, inLayer, isHead ? headGgufName(config) : undefined];
    return names.filter((name) => name !== undefined);
  };
  return {
    notes: quality === 'best' && statistics !== undefined ? fewTokens(model, statistics) : [],
    importances(slot, columns) {
      const size = slot.shape.at(-1)!;
      // Those of k_b and v_b are by the head; some tools write those of the embedding by the token.
      if (slot.shape.length > 2) return undefined;
      if (importances !== undefined) {
        if (slot.role === 'embed_tokens') return undefined;
        const [name, values] = firstOf(namesOf(slot), importances.entries);
        if (values === undefined) return undefined;
        assertColumns(importances.name, name, values.length, size);
        return knownImportance(padded(values, columns));
      }
      if (quality !== 'best' || statistics === undefined) return undefined;
      const [name, inputs] = firstOf(namesOf(slot), statistics.inputs);
      if (inputs === undefined) return undefined;
      assertColumns(statistics.name, name, inputs.channels, size);
      return {
        turn: inputs.turn,
        values: async (signal) => padded(smoothed(await inputs.meanSquares(signal), statistics), columns),
      };
    },
    feedback(slot, columns) {
      if (quality !== 'best' || slot.shape.length > 2) return undefined;
      const [name, inputs] = firstOf(namesOf(slot), withMoments(statistics));
      if (inputs === undefined) throw momentsMissing(slot, namesOf(slot));
      const size = slot.shape.at(-1)!;
      assertColumns(statistics!.name, name, inputs.moments.size, size);
      return {
        turn: inputs.turn,
        columns: columns ?? size,
        moments: inputs.moments,
        chance: shareOfChance(size, statistics!.tokens),
        flat: slot.role === 'embed_tokens' ? LOOK_UP_SHARE : 0,
        // Of fewer tokens scales would learn what is chance.
        refit: statistics!.tokens >= size,
        descent: true,
      };
    },
  };
}

/** Fewer tokens than channels leave most of the correlations to chance. */
function fewTokens({ config }: Model, { name, tokens }: Statistics): string[] {
  const channels = Math.max(config.hiddenSize, ...config.intermediateSizes);
  if (tokens >= channels) return [];
  return [
    `${name} comes from ${formatCounted(tokens, 'token')}, too few for ${formatCounted(channels, 'channel')}: a longer text makes --quality best better`,
  ];
}

/** Importances that need not be measured any more. */
export function knownImportance(values: Float32Array): Importance {
  return { turn: 0, values: async () => values };
}

type WithMoments = InputStatistics & Required<Pick<InputStatistics, 'moments'>>;

function withMoments(statistics: Statistics | undefined): ReadonlyMap<string, WithMoments> {
  const inputs = [...(statistics?.inputs ?? [])];
  return new Map(inputs.filter((entry): entry is [string, WithMoments] => entry[1].moments !== undefined));
}

function firstOf<T>(
  names: readonly string[],
  entries: ReadonlyMap<string, T>,
): [name: string, value: T | undefined] {
  const name = names.find((known) => entries.has(known)) ?? '';
  return [name, entries.get(name)];
}

/** Columns that pad a row hold zeros, whose errors do not count. */
function padded(values: Float32Array, columns: number | undefined): Float32Array {
  if (columns === undefined || values.length === columns) return values;
  const whole = new Float32Array(columns);
  whole.set(values);
  return whole;
}

/** Drawn towards their mean, as if every column had been seen `PRIOR_TOKENS` times more with it. */
function smoothed(values: Float32Array, { tokens }: Statistics): Float32Array {
  const share = shareOfChance(PRIOR_TOKENS, tokens);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.map((value) => value + share * (mean - value));
}

function assertColumns(file: string, name: string, got: number, columns: number): void {
  if (got === columns) return;
  throw invalidInput({
    file,
    field: `entry "${name}"`,
    what: 'channels',
    got,
    expected: `${columns}, one per column`,
  });
}

function momentsMissing({ role }: TensorSlot, names: readonly string[]): PressError {
  const kept = role === 'embed_tokens' && names.length > 0 ? 'lm_head' : (TWINS[role] ?? role);
  return usage(
    `--quality best needs second moments of the inputs of ${role}: run \`plmpress calibrate --second-moments ${kept}\` (or all) and pass its file as --statistics`,
  );
}
