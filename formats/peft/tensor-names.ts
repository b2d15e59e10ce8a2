/** What a tensor of an adapter is to its module. */
export type AdapterPart = 'a' | 'b' | 'lengths';

const PARTS: Readonly<Record<string, AdapterPart>> = {
  'lora_A.weight': 'a',
  'lora_B.weight': 'b',
  lora_magnitude_vector: 'lengths',
  'lora_magnitude_vector.weight': 'lengths',
};

/**
 * `base_model.model.` is PEFT's wrapper, then comes the module as the checkpoint names it. A dump of the
 * training state has the adapter's name (`default`) behind the part, which PEFT takes away when it saves.
 */
const NAME =
  /^base_model\.model\.(?<module>.+)\.(?<part>lora_[AB]|lora_magnitude_vector)(?:\.(?<adapter>(?!weight$)\w+))?(?<weight>\.weight)?$/;

/** State of the training that counts for nothing afterwards (VeLoRA, MonteCLoRA). */
const TRAINING_STATE = /\.lora_(velora_embed|monteclora_sampler)(\.|$)/;

/** Endings of tensors that a LoRA can have beside A and B, and what they do. */
const OTHERS: readonly (readonly [ending: RegExp, reason: string])[] = [
  [/\.lora_B(\.\w+)?\.bias$/, 'is a bias (lora_bias), which a PLM does not have'],
  [/\.bias$/, 'is a bias, which a PLM does not have'],
  [/\.lora_embedding_[AB](\.\w+)?$/, 'adapts the embedding'],
  [
    /\.(token_adapter\.)?trainable_tokens_\w+(\.\w+)?$/,
    'replaces rows of the embedding (trainable_token_indices)',
  ],
  [/\.lora_E(\.\w+)?$/, 'is of AdaLoRA'],
  [/\.lora_diag(\.|$)/, 'is of KaSA'],
  [/\.base_layer\.weight$/, 'is a weight of the base model, as of a vocabulary that has grown'],
  [/(^|\.)(embed_tokens|lm_head)(\.\w+)*\.weight$/, 'replaces a weight, as of a vocabulary that has grown'],
  [/\.modules_to_save\./, 'replaces a whole module (modules_to_save)'],
];

/** A tensor name taken apart. */
export interface NamedPart {
  readonly module: string;
  readonly part: AdapterPart;
}

/** What a tensor is; `undefined` where it counts for nothing; the reason where it cannot be merged. */
export function partOf(name: string): NamedPart | string | undefined {
  const { module, part, weight = '' } = NAME.exec(name)?.groups ?? {};
  const known = PARTS[`${part}${weight}`];
  if (module !== undefined && known !== undefined) return { module, part: known };
  if (TRAINING_STATE.test(name)) return undefined;
  return OTHERS.find(([ending]) => ending.test(name))?.[1] ?? 'is not part of a plain LoRA';
}
