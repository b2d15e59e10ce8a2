import { attendedHeadDim, type PlmConfig, queryNopeDim } from './config.ts';
import { elementCount } from './tensor.ts';

/** A tensor that a PLM of a given geometry has. */
export interface TensorSlot {
  readonly role: Role;
  /** Undefined for tensors outside the layers. */
  readonly layer: number | undefined;
  /** Hugging Face name. */
  readonly name: string;
  /** GGUF name; undefined where no architecture that we write has a place for the tensor. */
  readonly ggufName: string | undefined;
  readonly shape: readonly number[];
}

interface RoleRow {
  readonly hf: string;
  readonly gguf: string | undefined;
  /** Last part of both names. Left out: `weight`. */
  readonly parameter?: 'weight' | 'bias';
  readonly shape: (config: PlmConfig, layer: number) => readonly number[];
  /** Left out where it gives false. */
  readonly when?: (config: PlmConfig) => boolean;
}

const heads = (c: PlmConfig) => c.numAttentionHeads;
const queryRows = (c: PlmConfig) => heads(c) * (queryNopeDim(c) + c.qkRopeHeadDim);
const fullQuery = (c: PlmConfig) => c.qLoraRank === undefined;
const lowRankQuery = (c: PlmConfig) => c.qLoraRank !== undefined;
const jointKvB = (c: PlmConfig) => c.kvBForm === undefined;
const splitKvB = (c: PlmConfig) => c.kvBForm === 'split';
const ffn = (c: PlmConfig, layer: number) => c.intermediateSizes[layer]!;

/**
 * The one table of names: role, name in HF checkpoints, name in GGUF, shape (out, in), by head where there
 * are three.
 */
const LAYER_ROLES = {
  input_layernorm: { hf: 'input_layernorm', gguf: 'attn_norm', shape: (c) => [c.hiddenSize] },
  q_proj: {
    hf: 'self_attn.q_proj',
    gguf: 'attn_q',
    shape: (c) => [queryRows(c), c.hiddenSize],
    when: fullQuery,
  },
  q_a_proj: {
    hf: 'self_attn.q_a_proj',
    gguf: undefined,
    shape: (c) => [c.qLoraRank!, c.hiddenSize],
    when: lowRankQuery,
  },
  q_a_layernorm: {
    hf: 'self_attn.q_a_layernorm',
    gguf: undefined,
    shape: (c) => [c.qLoraRank!],
    when: lowRankQuery,
  },
  q_b_proj: {
    hf: 'self_attn.q_b_proj',
    gguf: undefined,
    shape: (c) => [queryRows(c), c.qLoraRank!],
    when: lowRankQuery,
  },
  kv_a_proj_with_mqa: {
    hf: 'self_attn.kv_a_proj_with_mqa',
    gguf: 'attn_kv_a_mqa',
    shape: (c) => [c.kvLoraRank + c.qkRopeHeadDim, c.hiddenSize],
  },
  kv_a_layernorm: {
    hf: 'self_attn.kv_a_layernorm',
    gguf: 'attn_kv_a_norm',
    shape: (c) => [c.kvLoraRank],
  },
  kv_b_proj: {
    hf: 'self_attn.kv_b_proj',
    gguf: 'attn_kv_b',
    shape: (c) => [heads(c) * (c.qkNopeHeadDim + c.vHeadDim), c.kvLoraRank],
    when: jointKvB,
  },
  k_b_proj: {
    hf: 'self_attn.k_b_proj',
    gguf: 'attn_k_b',
    shape: (c) => [heads(c), c.kvLoraRank, c.qkNopeHeadDim],
    when: splitKvB,
  },
  v_b_proj: {
    hf: 'self_attn.v_b_proj',
    gguf: 'attn_v_b',
    shape: (c) => [heads(c), c.vHeadDim, c.kvLoraRank],
    when: splitKvB,
  },
  o_proj: {
    hf: 'self_attn.o_proj',
    gguf: 'attn_output',
    shape: (c) => [c.hiddenSize, heads(c) * attendedHeadDim(c)],
  },
  post_attention_layernorm: {
    hf: 'post_attention_layernorm',
    gguf: 'ffn_norm',
    shape: (c) => [c.hiddenSize],
  },
  up_proj: { hf: 'mlp.up_proj', gguf: 'ffn_up', shape: (c, l) => [ffn(c, l), c.hiddenSize] },
  down_proj: { hf: 'mlp.down_proj', gguf: 'ffn_down', shape: (c, l) => [c.hiddenSize, ffn(c, l)] },
  down_proj_bias: {
    hf: 'mlp.down_proj',
    gguf: undefined,
    parameter: 'bias',
    shape: (c) => [c.hiddenSize],
    when: (c) => c.ffnBias === true,
  },
} as const satisfies Record<string, RoleRow>;

const MODEL_ROLES = {
  embed_tokens: {
    hf: 'model.embed_tokens',
    gguf: 'token_embd',
    shape: (c) => [c.vocabSize, c.hiddenSize],
  },
  norm: { hf: 'model.norm', gguf: 'output_norm', shape: (c) => [c.hiddenSize] },
  lm_head: {
    hf: 'lm_head',
    gguf: undefined,
    shape: (c) => [c.vocabSize, c.hiddenSize],
    when: (c) => !c.tieWordEmbeddings,
  },
} as const satisfies Record<string, RoleRow>;

export type LayerRole = keyof typeof LAYER_ROLES;
export type ModelRole = keyof typeof MODEL_ROLES;
export type Role = LayerRole | ModelRole;

function present(row: RoleRow, config: PlmConfig): boolean {
  return row.when?.(config) ?? true;
}

/** Hugging Face name of a tensor inside layer `layer`. */
export function layerTensorName(role: LayerRole, layer: number): string {
  const { hf, parameter = 'weight' }: RoleRow = LAYER_ROLES[role];
  return `model.layers.${layer}.${hf}.${parameter}`;
}

/**
 * GGUF name of a tensor inside layer `layer`; undefined where no architecture that we write has a place for
 * it.
 */
export function layerGgufName(role: LayerRole, layer: number): string | undefined {
  const { gguf }: RoleRow = LAYER_ROLES[role];
  return gguf && `blk.${layer}.${gguf}.weight`;
}

/** The head, by its name in statistics. A GGUF of a PLM has no place for an untied one. */
export function headGgufName({ tieWordEmbeddings }: Pick<PlmConfig, 'tieWordEmbeddings'>): string {
  return tieWordEmbeddings ? 'token_embd.weight' : 'output.weight';
}

/** Hugging Face name of a tensor outside the layers. */
export function modelTensorName(role: ModelRole): string {
  return `${MODEL_ROLES[role].hf}.weight`;
}

/**
 * Every tensor of a PLM of this geometry, in canonical order: embedding, layers from 0 up, final norm, head.
 */
export function plmTensors(config: PlmConfig): TensorSlot[] {
  const slots: TensorSlot[] = [];
  const addModelSlot = (role: ModelRole) => {
    const row: RoleRow = MODEL_ROLES[role];
    if (!present(row, config)) return;
    const ggufName = row.gguf && `${row.gguf}.weight`;
    slots.push({
      role,
      layer: undefined,
      name: modelTensorName(role),
      ggufName,
      shape: row.shape(config, 0),
    });
  };
  addModelSlot('embed_tokens');
  for (let layer = 0; layer < config.numHiddenLayers; layer++) {
    for (const [role, row] of Object.entries(LAYER_ROLES) as [LayerRole, RoleRow][]) {
      if (!present(row, config)) continue;
      slots.push({
        role,
        layer,
        name: layerTensorName(role, layer),
        ggufName: layerGgufName(role, layer),
        shape: row.shape(config, layer),
      });
    }
  }
  addModelSlot('norm');
  addModelSlot('lm_head');
  return slots;
}

/** Weights of a PLM of this geometry, those of norms included. */
export function parameterCount(config: PlmConfig): number {
  return plmTensors(config).reduce((sum, slot) => sum + elementCount(slot), 0);
}
