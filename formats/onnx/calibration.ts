import { invalidInput, type PressError, usage } from '../../src/core/errors.ts';
import type { Model } from '../../src/core/model.ts';
import { type LayerRole, layerGgufName, plmTensors, type TensorSlot } from '../../src/core/names.ts';
import { columnCount } from '../../src/core/tensor.ts';
import { feedbackOf } from '../../src/passes/feedback.ts';
import type { Calibration } from './weights/placer.ts';

/**
 * How hard to try. `fast`: each block is rounded by itself, weighed by importances where there are any. `best`: with error
 * feedback, which takes second moments of the inputs of every matrix of 4 bits.
 */
export const QUALITIES = ['fast', 'best'] as const;

export type Quality = (typeof QUALITIES)[number];

/** Matrices that share their inputs with another, whose statistics are kept. */
const TWINS: Partial<Record<TensorSlot['role'], LayerRole>> = { kv_a_proj_with_mqa: 'q_proj' };

/**
 * What the importances and statistics of a model say of its matrices.
 * @throws PressError invalid-input where an entry has not one value a column: it is of another model; usage where `best`
 * lacks second moments.
 */
export function calibrationOf(model: Model, quality: Quality): Calibration {
  const slots = new Map(plmTensors(model.config).map((slot) => [slot.name, slot]));
  const { importances, statistics } = model;
  const [file, entries] = importances
    ? [importances.name, importances.entries]
    : [statistics?.name ?? '', quality === 'best' ? statistics?.meanSquares : undefined];
  return {
    importances(tensor) {
      const slot = slots.get(tensor.name)!;
      // Some tools write those of the embedding by the token; those of k_b and v_b are by the head.
      if (slot.role === 'embed_tokens' || slot.shape.length > 2) return undefined;
      const [name, values] = firstOf(namesOf(slot), entries);
      if (values === undefined) return undefined;
      const columns = columnCount(tensor);
      if (values.length !== columns) throw ofAnotherModel(file, name, values.length, columns);
      return values;
    },
    feedback(tensor, columns) {
      if (quality !== 'best') return undefined;
      const slot = slots.get(tensor.name)!;
      const [name, moments] = firstOf(namesOf(slot), statistics?.moments);
      if (moments === undefined) throw momentsMissing(slot);
      const size = columnCount(tensor);
      if (moments.size !== size) throw ofAnotherModel(statistics!.name, name, moments.size, size);
      return feedbackOf(moments, columns);
    },
  };
}

/** GGUF names of a matrix and of one with the same inputs. */
function namesOf({ role, layer, ggufName }: TensorSlot): string[] {
  const twin = TWINS[role];
  const names = [ggufName, twin === undefined ? undefined : layerGgufName(twin, layer!)];
  return names.filter((name) => name !== undefined);
}

function firstOf<T>(
  names: readonly string[],
  entries: ReadonlyMap<string, T> | undefined,
): [name: string, value: T | undefined] {
  const name = names.find((known) => entries?.has(known)) ?? '';
  return [name, entries?.get(name)];
}

function ofAnotherModel(file: string, name: string, got: number, columns: number): PressError {
  return invalidInput({
    file,
    field: `entry "${name}"`,
    what: 'channels',
    got,
    expected: `${columns}, one a column`,
  });
}

function momentsMissing({ role }: TensorSlot): PressError {
  const kept = TWINS[role] ?? role;
  return usage(
    `--quality best lacks second moments of the inputs of ${role}`,
    `--statistics of \`plmpress calibrate --second-moments ${kept} …\``,
  );
}
