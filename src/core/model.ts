import type { PlmConfig } from './config.ts';
import type { HubOrigin } from './hub-origin.ts';
import type { Imatrix } from './imatrix.ts';
import { number, object, optional, type Read, record, string } from './json/schema.ts';
import type { TensorSlot } from './names.ts';
import type { Statistics } from './statistics.ts';
import type { Tensor } from './tensor.ts';
import type { TokenizerSpec } from './tokenizer/tokenizer-spec.ts';

/** A file that the model was read from. */
export interface SourceFile {
  /** Name relative to the source folder, never a path of the machine. */
  readonly name: string;
  readonly bytes: number;
  /**
   * SHA-256 in hex. Free if the file has been read once front to back; reads what is missing otherwise, and
   * ends by `signal`.
   */
  sha256(signal?: AbortSignal): Promise<string>;
  close(): Promise<void>;
}

/** Sampling defaults of generation_config.json. */
export interface GenerationConfig {
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
}

/** Who made the model, as far as the source says. */
export interface ModelCard {
  readonly license?: string;
  readonly licenseName?: string;
  readonly licenseLink?: string;
  readonly baseModels?: readonly string[];
  readonly tags?: readonly string[];
  readonly languages?: readonly string[];
  readonly datasets?: readonly string[];
}

/** One thing that a pass did to one tensor (or to the config, with `config` as subject). */
export const change = object({
  pass: string,
  subject: string,
  from: string,
  to: string,
  reason: string,
  /** What was measured on the way, by name. */
  figures: optional(record(number)),
});

export type Change = Read<typeof change>;

/**
 * Tensors as an artifact lays them out, where its rows are padded or transposed: what rounding is judged by.
 */
export interface StoredForm {
  /** Keyed by Hugging Face name. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** A tensor of another model in the same layout. */
  readonly of: (slot: TensorSlot, tensor: Tensor) => Tensor;
}

/**
 * An immutable model: what importers make, passes rewrite and exporters write. Holds open files until closed.
 */
export interface Model {
  readonly format: 'safetensors' | 'pytorch' | 'gguf' | 'onnx' | 'webgpu';
  /** Name for people and for output files: the source's folder or file stem, or its `general.name`. */
  readonly name: string;
  /** Where on the Hub its files are from, if that is known. */
  readonly origin?: HubOrigin;
  readonly config: PlmConfig;
  /** Keyed by Hugging Face name, in the canonical order of `plmTensors`. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** Left out where `tensors` have the layout of the file. */
  readonly stored?: StoredForm;
  readonly tokenizer: TokenizerSpec;
  readonly generation: GenerationConfig;
  readonly card: ModelCard;
  /** Text of the source's config.json, where it has one. Passes leave it as it was. */
  readonly sourceConfig?: string;
  /**
   * Whether importances or error feedback weighed the rounding of weights, so that unimportant ones may be
   * far off.
   */
  readonly weighed?: boolean;
  /** Every file read, weights included; `Origin.file` indexes it. */
  readonly files: readonly SourceFile[];
  /** Importances that weight the rounding of its matrices. */
  readonly importances?: Imatrix;
  /** Statistics of its activations, for passes. */
  readonly statistics?: Statistics;
  /** The changes by passes so far, in order. */
  readonly changes: readonly Change[];
  /**
   * What the importer ignored or assumed and what passes cost, one line each, for the person who converts.
   */
  readonly notes: readonly string[];
}

export async function closeModel(model: Pick<Model, 'files'>): Promise<void> {
  await Promise.all(model.files.map((file) => file.close()));
}
