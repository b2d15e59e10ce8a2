import { type PressError, unsupported, usage } from '../../src/core/errors.ts';
import type {
  ExportPlan,
  Fallback,
  Feedback,
  Importance,
  PlannedFile,
  TensorType,
} from '../../src/core/export-plan.ts';
import type { Imatrix } from '../../src/core/imatrix.ts';
import type { Model } from '../../src/core/model.ts';
import { assertRoundsOnce } from '../../src/core/requantize.ts';
import { SCHEMES, type SchemeName, WRITTEN_SCHEMES } from '../../src/core/scheme.ts';
import { oversizeNotes } from '../../src/core/shard-size.ts';
import type { Tensor } from '../../src/core/tensor.ts';
import { fileStem } from '../../src/core/text/file-stem.ts';
import { firstNames } from '../../src/core/text/name-list.ts';
import { isJoined } from '../../src/passes/join-kv-b.ts';
import {
  calibratedRounding,
  knownImportance,
  type Quality,
} from '../../src/passes/rounding/calibrated-rounding.ts';
import { assertHolds, type GgufArchitecture } from './architecture.ts';
import { contentsOf } from './container/contents.ts';
import { layoutShards, shardFileName } from './container/shards.ts';
import { type KeyValue, layoutGguf, type TensorEntry } from './container/writer.ts';
import { matchImportances } from './importances.ts';
import { modelMetadata } from './metadata.ts';
import { type Recipe, recipeNamed } from './recipes.ts';
import { isQuantized, needsImportance, SchemeChooser, type SchemeOptions } from './scheme-choice.ts';
import { BETA, reluSquaredError } from './swiglu.ts';

export interface GgufOptions extends SchemeOptions {
  /** Name or alias in `RECIPES`, in any case. */
  readonly recipe: string;
  /** Left out: `plm`. */
  readonly arch?: GgufArchitecture;
  /** Greatest size of a file in bytes; a single tensor may exceed it. Undefined: one file. */
  readonly shardSize?: number;
  /** Refuse instead of falling back to another scheme where a row does not hold whole blocks. */
  readonly strict?: boolean;
  /** Importances of columns, for the schemes and recipes that use them. */
  readonly imatrix?: Imatrix;
  /** Round weights that have been rounded already, into another scheme. */
  readonly allowRequantize?: boolean;
  /** Left out: fast, the bytes of llama-quantize. */
  readonly quality?: Quality;
  /** Of plmpress, for files of models whose origin is known. */
  readonly version?: string;
}

/** A tensor that is to be written, in the place that llama-quantize gives it. */
interface Placement extends TensorEntry {
  readonly source: Tensor;
  readonly importance: Importance | undefined;
  readonly feedback: Feedback | undefined;
}

/** Blocks of k_b run across the rows of kv_b. */
const KEEPS_PARTS =
  '--gguf-arch deepseek2 keeps the blocks of its parts, --tensor-type attn_kv_b=f32 their values';

interface Placed {
  readonly placements: readonly Placement[];
  readonly fallbacks: readonly Fallback[];
  readonly idleTypes: readonly TensorType[];
  readonly notes: readonly string[];
}

/**
 * Plans a GGUF of llama.cpp's arch `plm` or `deepseek2`: metadata, tensor order and types of llama-quantize.
 * @throws PressError unsupported where the architecture cannot hold the model, where a pass of `ggufPasses`
 * has not run, where a scheme is useless without importances, without `allowRequantize` where a quantized
 * tensor would change its scheme, or with `strict` where a tensor would fall back; usage for an unknown
 * recipe, a pattern that is no regular expression or a scheme that can only be read; invalid-input for
 * importances of another model.
 */
export function planGguf(model: Model, options: GgufOptions): ExportPlan {
  const recipe = recipeNamed(options.recipe);
  const { arch = 'plm', imatrix, quality = 'fast', version } = options;
  assertHolds(arch, model.config);
  const { placements, fallbacks, idleTypes, notes } = placeTensors(model, recipe, options);
  if (options.strict && fallbacks.length > 0) throw strictError(fallbacks[0]!);
  const metadata = modelMetadata(model, { arch, recipe, imatrix, quality, version });
  const infix = arch === 'plm' ? '' : `-${arch}`;
  const stem = `${fileStem(model.name)}${infix}-${recipe.name.toUpperCase()}`;
  const files = planFiles(stem, metadata, placements, options.shardSize);
  return {
    target: `gguf:${recipe.name}`,
    files,
    fallbacks,
    idleTypes,
    notes: [...notes, ...archNotes(arch), ...oversizeNotes(files, options.shardSize)],
  };
}

function archNotes(arch: GgufArchitecture): string[] {
  if (arch === 'plm') return [];
  const error = reluSquaredError(BETA).toExponential(1);
  return [
    `arch deepseek2 has no ReLU^2: it becomes a SwiGLU with beta ${BETA}, which is off by about ${error} of its values`,
  ];
}

function placeTensors(model: Model, recipe: Recipe, options: GgufOptions): Placed {
  const { arch = 'plm', imatrix, allowRequantize = false, quality = 'fast' } = options;
  const contents = contentsOf(model, arch);
  const rounding = calibratedRounding(model, quality);
  const matched = imatrix && matchImportances(contents, imatrix);
  const notes = [...(matched?.notes ?? []), ...rounding.notes];
  const layers = contents.filter(({ slot }) => slot.role === 'input_layernorm').length;
  const chooser = new SchemeChooser(recipe, layers, imatrix !== undefined, options);
  const fallbacks: Fallback[] = [];
  const unweighted: string[] = [];
  const placed = contents.map(({ slot, name, source }) => {
    const { wanted, used } = chooser.choose(slot);
    if (used !== wanted) fallbacks.push(fallback(slot.name, wanted, used, slot.shape));
    // No recipe names such a scheme: it was asked for.
    if (used !== source.scheme && !SCHEMES[used].canEncode) throw unwritable(name, used);
    if (!allowRequantize) {
      const instead = isJoined(model, slot.name) ? KEEPS_PARTS : undefined;
      assertRoundsOnce(source, used, { name, instead });
    }
    const rounds = used !== source.scheme && isQuantized(used);
    // With an imatrix as llama-quantize has it: nothing stands in for entries that it lacks.
    const values = matched?.importances.get(name);
    const known = matched ? values && knownImportance(values) : rounding.importances(slot);
    const importance = rounds ? known : undefined;
    const feedback = rounds && SCHEMES[used].hasGrid ? rounding.feedback(slot) : undefined;
    if (rounds && importance === undefined) {
      if (needsImportance(slot, used, recipe)) throw importanceMissing(name, used);
      if (slot.role !== 'embed_tokens') unweighted.push(name);
    }
    return { layer: slot.layer ?? -1, name, scheme: used, shape: slot.shape, source, importance, feedback };
  });
  // The order of llama-quantize: tensors outside the layers, then layer by layer, by name in each.
  const placements = placed.toSorted((a, b) => a.layer - b.layer || (a.name < b.name ? -1 : 1));
  if (imatrix !== undefined && unweighted.length > 0) {
    notes.push(`${imatrix.name} has no importances for ${firstNames(unweighted)}`);
  }
  return { placements, fallbacks, idleTypes: chooser.idleTypes, notes };
}

function fallback(tensor: string, wanted: SchemeName, used: SchemeName, shape: readonly number[]): Fallback {
  const reason = `a row of ${shape.at(-1)} weights is not a whole number of ${wanted} blocks`;
  return { tensor, wanted, used, reason };
}

function strictError({ tensor, wanted, used, reason }: Fallback): PressError {
  const what = `cannot be stored as ${wanted} and --strict forbids ${used}: ${reason}`;
  return unsupported({ field: `tensor "${tensor}"`, what });
}

function unwritable(name: string, scheme: SchemeName): PressError {
  return usage(
    `${name} cannot be stored as ${scheme}, which plmpress can only read`,
    WRITTEN_SCHEMES.join(', '),
  );
}

function importanceMissing(name: string, scheme: SchemeName): PressError {
  const what = `${scheme} without importances makes a useless tensor; give them with --imatrix`;
  return unsupported({ field: `tensor "${name}"`, what });
}

function planFiles(
  stem: string,
  metadata: readonly KeyValue[],
  placements: readonly Placement[],
  shardSize: number | undefined,
): PlannedFile[] {
  if (shardSize === undefined) return [planFile(`${stem}.gguf`, metadata, placements)];
  const shards = layoutShards(metadata, placements, shardSize);
  return shards.map((shard, index) =>
    planFile(shardFileName(stem, index, shards.length), shard.metadata, shard.entries),
  );
}

function planFile(
  name: string,
  metadata: readonly KeyValue[],
  placements: readonly Placement[],
): PlannedFile {
  const layout = layoutGguf(metadata, placements);
  return {
    name,
    bytes: layout.bytes,
    head: [{ offset: 0, bytes: layout.header }],
    tensors: placements.map(({ source, name, scheme, importance, feedback }, index) => ({
      source,
      name,
      scheme,
      offset: layout.offsets[index]!,
      ...(importance !== undefined && { importance }),
      ...(feedback !== undefined && { feedback }),
    })),
  };
}
