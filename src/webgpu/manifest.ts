import type { TokenizerSpec } from '../core/tokenizer/tokenizer-spec.ts';

/**
 * manifest.json of a WebGPU bundle, as docs/webgpu-bundle.md describes it. Exporter, importer and runtime
 * share these types; all numbers are safe integers unless said otherwise, all hashes SHA-256 in hex.
 */
export interface BundleManifest {
  readonly schema: typeof BUNDLE_SCHEMA;
  readonly version: typeof BUNDLE_VERSION;
  /** For people. */
  readonly name: string;
  readonly tool: { readonly name: string; readonly version: string };
  /** q4, q8 or f16: what most of the weights are stored in. */
  readonly scheme: string;
  readonly model: BundleModel;
  /** Everything that a page fetches beside this file. Relative to the manifest, as all names. */
  readonly runtime: BundleFile;
  /** The `TokenizerSpec` as JSON. */
  readonly tokenizer: BundleFile;
  readonly shards: readonly BundleFile[];
  readonly tensors: readonly BundleTensor[];
  readonly chat?: ChatForm;
  readonly generation: BundleGeneration;
  readonly requirements: BundleRequirements;
  /** Of the GPU, with the runtime's defaults, at some contexts. */
  readonly memory: readonly { readonly context: number; readonly bytes: number }[];
  /** What the weights were made from. */
  readonly sources: readonly BundleFile[];
  /** Where on the Hub they are from, where that is known. */
  readonly origin?: BundleOrigin;
  /** Passes that made these weights of the source, as `--pass` takes them. */
  readonly passes: readonly string[];
  /** `best`: rounded with error feedback. Left out: each block by itself. */
  readonly quality?: string;
  /**
   * By layer and neuron, how often it fires: 0 to 1, in the order of the rows of down_proj. Left out where
   * nothing is known.
   */
  readonly firing?: readonly (readonly number[])[];
  readonly selfTest: SelfTest;
}

export const BUNDLE_SCHEMA = 'plmpress-webgpu-bundle';
export const BUNDLE_VERSION = 1;

export interface BundleFile {
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** A repository of the Hub, `org/name`, at one commit, 40 hex digits. */
export interface BundleOrigin {
  readonly repository: string;
  readonly revision: string;
}

/** Geometry, in the terms of config.json. */
export interface BundleModel {
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly num_attention_heads: number;
  /** One per layer. */
  readonly intermediate_sizes: readonly number[];
  readonly kv_lora_rank: number;
  readonly q_lora_rank: number | null;
  readonly qk_nope_head_dim: number;
  readonly qk_rope_head_dim: number;
  readonly v_head_dim: number;
  /** Not an integer, as `rope_theta`. */
  readonly rms_norm_eps: number;
  readonly rope_theta: number;
  readonly rope_interleave: boolean;
  readonly max_position_embeddings: number;
  readonly tie_word_embeddings: boolean;
  readonly ffn_bias: boolean;
}

/**
 * How a plane of a tensor stores weights. `f32` and `f16`: as such. `q8`: blocks of 32 columns, int8 codes;
 * weight = code * scale. `q4`: blocks of 32 columns, codes of 4 bits; weight = (code - 8) * scale.
 */
export const BUNDLE_SCHEMES = ['f32', 'f16', 'q8', 'q4'] as const;

export type BundleScheme = (typeof BUNDLE_SCHEMES)[number];

/**
 * A matrix `[rows, columns]`, or a vector of one row. Its rows are padded with zeros to
 * `storedColumns(tensor)`. Codes lie in the order of columns, the first of a byte in its lower half. The
 * columns of `neurons` layouts are the outputs of down_proj, its rows the neurons of the FFN; all other
 * tensors are `rows`: as checkpoints have them.
 */
export interface BundleTensor {
  /** Hugging Face name. */
  readonly name: string;
  readonly scheme: BundleScheme;
  readonly rows: number;
  readonly columns: number;
  readonly layout: 'rows' | 'neurons';
  /** All rows, in order: codes of q4 and q8, floats of f16 and f32. */
  readonly values: readonly BundlePiece[];
  /** f16 scales of q4 and q8, one per block; none of floats. */
  readonly scales: readonly BundlePiece[];
}

/**
 * A run of whole rows of a plane. Offsets are multiples of 256, `rows` but for the last piece a multiple of
 * 64.
 */
export interface BundlePiece {
  /** Index into `shards`. */
  readonly shard: number;
  readonly offset: number;
  readonly rows: number;
}

/** Columns of a block of q4 and q8; rows of all schemes are padded to whole blocks. */
export const BLOCK = 32;

const VALUE_BITS: Readonly<Record<BundleScheme, number>> = { f32: 32, f16: 16, q8: 8, q4: 4 };

/** Columns with the padding that rows end with. */
export function storedColumns({ columns }: Pick<BundleTensor, 'columns'>): number {
  return Math.ceil(columns / BLOCK) * BLOCK;
}

/** Bytes of one row in the plane of values. */
export function valueRowBytes(tensor: Pick<BundleTensor, 'scheme' | 'columns'>): number {
  return (storedColumns(tensor) * VALUE_BITS[tensor.scheme]) / 8;
}

/** Bytes of one row in the plane of scales. */
export function scaleRowBytes(tensor: Pick<BundleTensor, 'scheme' | 'columns'>): number {
  return tensor.scheme === 'q8' || tensor.scheme === 'q4' ? (2 * storedColumns(tensor)) / BLOCK : 0;
}

/**
 * A chat template without a template engine: of each message `before` + role + `between` + content + `after`,
 * then `before` + assistant + `between`.
 */
export interface ChatForm {
  readonly before: string;
  readonly between: string;
  readonly after: string;
  /** Content of the system message where the conversation has none; left out: none is added. */
  readonly defaultSystem?: string;
}

/** Sampling defaults; left out: greedy. */
export interface BundleGeneration {
  readonly temperature?: number;
  readonly top_k?: number;
  readonly top_p?: number;
  readonly min_p?: number;
  readonly repetition_penalty?: number;
  readonly stop_token_ids: readonly number[];
}

export interface BundleRequirements {
  /** WebGPU features that the runtime cannot do without, and those that it uses where they are. */
  readonly features: readonly string[];
  readonly optional_features: readonly string[];
  /** Least limits of the device, by WebGPU's names. */
  readonly limits: Readonly<Record<string, number>>;
}

/**
 * What an intact bundle computes. Teacher-forced: the likeliest token after each prefix of the prompt; and of
 * the logits after the whole prompt some values with the root of the mean square of all.
 */
export interface SelfTest {
  readonly prompt: readonly number[];
  /** After prefixes of 1, 2, … tokens. */
  readonly likeliest: readonly number[];
  /**
   * Prefixes whose likeliest token leads by too little to be told apart, by index into `likeliest`: not held.
   */
  readonly close: readonly number[];
  readonly logits: {
    /** Tokens. */
    readonly ids: readonly number[];
    /** Their logits. */
    readonly values: readonly number[];
    readonly rms: number;
    /** How far a value may be off. */
    readonly tolerance: number;
  };
}

/** What `BundleManifest.tokenizer` holds. */
export type BundleTokenizer = TokenizerSpec;
