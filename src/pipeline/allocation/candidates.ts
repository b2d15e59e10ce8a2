import { planGguf } from '../../../formats/gguf/export.ts';
import type { ExportPlan, PlannedTensor, TensorType } from '../../core/export-plan.ts';
import type { Model } from '../../core/model.ts';
import { fitsScheme, type SchemeName } from '../../core/scheme.ts';
import { columnCount } from '../../core/tensor.ts';
import type { TargetOptions } from '../planning/target-options.ts';
import { VERSION } from '../version.ts';

/** Schemes for a matrix whose rows are whole blocks of 256. */
const SCHEMES: readonly SchemeName[] = ['Q2_K', 'Q3_K', 'IQ4_XS', 'Q4_K', 'Q5_K', 'Q6_K', 'Q8_0'];
/** And where they are not. */
const SCHEMES_OF_32: readonly SchemeName[] = ['Q4_0', 'IQ4_NL', 'Q5_0', 'Q5_1', 'Q8_0'];
/** Coarse enough to be seen in the logits, fine enough that errors still add up. */
const PROBE: SchemeName = 'Q3_K';
const PROBE_OF_32: SchemeName = 'Q4_0';

/** Every scheme that some matrix may take. */
export const CANDIDATES: readonly SchemeName[] = [...new Set([...SCHEMES, ...SCHEMES_OF_32])];

/** A GGUF whose schemes are to be chosen. */
export interface PlanOptions {
  readonly recipe: string;
  /** Of the target. Schemes that they name for tensors are kept. */
  readonly options: TargetOptions;
}

export function schemesOf({ source }: PlannedTensor): readonly SchemeName[] {
  return fitsScheme(PROBE, columnCount(source)) ? SCHEMES : SCHEMES_OF_32;
}

/** The scheme that shows what a matrix with rows of `columns` weights costs. */
export function probeOf(columns: number): SchemeName {
  return fitsScheme(PROBE, columns) ? PROBE : PROBE_OF_32;
}

/** The file as it would be written, to the byte. Schemes that were asked for by name come first. */
export function planWith(
  model: Model,
  { options, recipe }: PlanOptions,
  types: readonly TensorType[],
): ExportPlan {
  const { tensorTypes = [], tokenEmbedding, ...rest } = options;
  const fixed = tokenEmbedding === undefined ? [] : [exactly('token_embd.weight', tokenEmbedding)];
  return planGguf(model, {
    ...rest,
    recipe,
    version: VERSION,
    tensorTypes: [...fixed, ...tensorTypes, ...types],
    ...(model.importances && { imatrix: model.importances }),
  });
}

/** The scheme of one tensor, by its whole GGUF name. */
export function exactly(name: string, scheme: SchemeName): TensorType {
  return { pattern: `^${name.replaceAll('.', '\\.')}$`, scheme };
}
