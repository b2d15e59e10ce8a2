import { unsupported } from '../../src/core/errors.ts';
import type { JsonField } from '../../src/core/json/json-field.ts';
import type { Tensor } from '../../src/core/tensor.ts';
import type { Checkpoint } from './checkpoint.ts';

/** How tensors are named that only weights of another kind come with; the first that fits names the kind. */
const KINDS: readonly (readonly [kind: string, name: RegExp])[] = [
  ['quantized by bitsandbytes', /\.(absmax|quant_map|nested_absmax|nested_quant_map|SCB|weight_format)$/],
  ['quantized by bitsandbytes', /\.quant_state\.bitsandbytes__\w+$/],
  ['quantized by GPTQ', /\.g_idx$/],
  ['quantized by AWQ or GPTQ', /\.(qweight|qzeros)$/],
  ['quantized to FP8 by blocks', /\.weight_scale_inv$/],
  ['quantized by compressed-tensors', /\.weight_(packed|shape|zero_point|global_scale|g_idx)$/],
  ['quantized to FP8 or by compressed-tensors', /\.(weight|input|output|k|v|q|kv)_scale(_2)?$/],
  ['quantized by HQQ', /\.W_q$/],
  ['quantized by AQLM', /\.(codes|codebooks)$/],
  ['quantized by VPTQ', /\.(indices|centroids)(\.weight)?$/],
  ['quantized by EETQ', /\.weight_scales$/],
  ['quantized by Quanto', /\.weight\._(data|scale|shift)$/],
  ['quantized by ExLlamaV2', /\.q_(weight|scale|scale_max|groups|invperm|perm)$/],
  ['quantized by ExLlamaV3', /\.(trellis|suh|svh)$/],
  ['quantized by torchao', /\._weight_(qdata|scale|zero_point)$/],
  ['quantized to MXFP4', /_(blocks|scales)$/],
  ['quantized by MLX', /\.(scales|biases)$/],
];

/** Of PEFT, in a model that was saved with its adapter in it. */
const ADAPTER =
  /\.(lora_(A|B|embedding_A|embedding_B|magnitude_vector)|base_layer|modules_to_save|original_module)\b/;

/**
 * Refuses weights that are not plain matrices, by the names of the tensors that come with them, whatever
 * config.json says.
 * @throws PressError `unsupported` naming the first such tensor and its kind.
 */
export function assertPlainWeights({ tensors }: Checkpoint, fields: readonly JsonField[] = []): void {
  for (const [kind, pattern] of KINDS) {
    const found = [...tensors.values()].find(({ name }) => pattern.test(name));
    if (found === undefined) continue;
    const field = `tensor ${JSON.stringify(found.name)}`;
    const method = fields.map(methodOf).find((name) => typeof name?.value === 'string');
    const what = `the weights are ${kind}${method ? `, ${method.field} is ${method.value}` : ''}`;
    const expected = 'F32, F16 or BF16 weights';
    throw unsupported({ file: found.file.name, field, what, expected });
  }
  const adapter = [...tensors.values()].find(({ name }) => ADAPTER.test(name));
  if (adapter === undefined) return;
  const field = `tensor ${JSON.stringify(adapter.name)}`;
  const what = 'a PEFT adapter that is not merged: merge it, or pass its folder as --adapter';
  throw unsupported({ file: adapter.file.name, field, what });
}

/** Methods whose model computes with quantized weights although it stores others. */
const QUANTIZED_IN_USE: readonly unknown[] = ['bitnet'];

/**
 * Notes on the fields of config.json that say how weights are quantized, beside `tensors` that are not:
 * merging an adapter or dequantizing often leaves them behind.
 * @throws PressError `unsupported` where the weights are quantized as the model computes.
 */
export function quantizationLeftovers(
  fields: readonly JsonField[],
  tensors: ReadonlyMap<string, Tensor>,
): string[] {
  const stored = [...new Set([...tensors.values()].map(({ scheme }) => scheme))].join(', ');
  return fields.map((field) => {
    const method = methodOf(field);
    if (QUANTIZED_IN_USE.includes(method?.value)) {
      const what = 'such a model quantizes its weights while it computes';
      throw unsupported({ file: field.file, field: method!.field, what, got: method!.value });
    }
    return `${field.file}: ${field.field} ignored, the weights are not quantized (${stored})`;
  });
}

function methodOf(field: JsonField): JsonField | undefined {
  return field.value instanceof Map ? field.at('quant_method') : undefined;
}
