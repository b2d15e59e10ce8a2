import { kvCacheBytesPerToken, type PlmConfig } from '../core/config.ts';
import type { GenerationConfig, Model, ModelCard } from '../core/model.ts';
import { plmTensors, type Role } from '../core/names.ts';
import type { SchemeName } from '../core/scheme.ts';
import { byteLength, elementCount } from '../core/tensor.ts';

/** Parts of a model that parameters are counted by. */
export type Part = 'attention' | 'ffn' | 'embedding' | 'norms';

export interface TensorSummary {
  readonly name: string;
  readonly scheme: SchemeName;
  readonly shape: readonly number[];
  readonly bytes: number;
}

export interface TokenizerSummary {
  readonly tokens: number;
  readonly merges: number;
  readonly added: number;
  /** Rows of the embedding without a token. */
  readonly paddingRows: number;
  readonly normalizer: 'NFC' | 'none';
  readonly preTokenizer: string;
  readonly addBosToken: boolean;
  readonly chatTemplate: boolean;
}

/** A token that plays a role, by id and text. */
export interface NamedToken {
  readonly id: number;
  readonly text: string;
}

export interface Inspection {
  readonly name: string;
  readonly format: Model['format'];
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
  readonly config: PlmConfig;
  readonly parameters: Readonly<Record<Part | 'total', number>>;
  /** Bytes of all tensors. */
  readonly bytes: number;
  readonly bitsPerWeight: number;
  /** In canonical order. */
  readonly tensors: readonly TensorSummary[];
  readonly tokenizer: TokenizerSummary;
  readonly stopTokens: readonly NamedToken[];
  readonly generation: GenerationConfig;
  readonly card: ModelCard;
  /** f16 elements, as runtimes keep them. */
  readonly kvCacheBytesPerToken: { readonly expanded: number; readonly latent: number };
  readonly notes: readonly string[];
}

/** The description of a model, from its headers alone. */
export function inspect(model: Model): Inspection {
  const { config } = model;
  const parameters = countParameters(model);
  const tensors = [...model.tensors].map(([name, tensor]) => ({
    name,
    scheme: tensor.scheme,
    shape: tensor.shape,
    bytes: byteLength(tensor),
  }));
  const bytes = tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  return {
    name: model.name,
    format: model.format,
    files: model.files.map((file) => ({ name: file.name, bytes: file.bytes })),
    config,
    parameters,
    bytes,
    bitsPerWeight: (8 * bytes) / parameters.total,
    tensors,
    tokenizer: summarizeTokenizer(model),
    stopTokens: model.tokenizer.stopTokenIds.map((id) => ({ id, text: model.tokenizer.tokens[id]! })),
    generation: model.generation,
    card: model.card,
    kvCacheBytesPerToken: {
      expanded: kvCacheBytesPerToken(config, 'expanded'),
      latent: kvCacheBytesPerToken(config, 'latent'),
    },
    notes: model.notes,
  };
}

function countParameters(model: Model): Record<Part | 'total', number> {
  const counts = { attention: 0, ffn: 0, embedding: 0, norms: 0, total: 0 };
  for (const slot of plmTensors(model.config)) {
    const count = elementCount(slot);
    counts[partOf(slot.role)] += count;
    counts.total += count;
  }
  return counts;
}

const FFN_ROLES: readonly Role[] = ['up_proj', 'down_proj', 'down_proj_bias'];

function partOf(role: Role): Part {
  if (role.endsWith('norm')) return 'norms';
  if (role === 'embed_tokens' || role === 'lm_head') return 'embedding';
  return FFN_ROLES.includes(role) ? 'ffn' : 'attention';
}

function summarizeTokenizer({ tokenizer, config }: Model): TokenizerSummary {
  return {
    tokens: tokenizer.tokens.length,
    merges: tokenizer.merges.length,
    added: tokenizer.added.length,
    paddingRows: config.vocabSize - tokenizer.tokens.length,
    normalizer: tokenizer.normalizer,
    preTokenizer: tokenizer.preTokenizer,
    addBosToken: tokenizer.addBosToken,
    chatTemplate: tokenizer.chatTemplate !== undefined,
  };
}
