import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { planSafetensors } from '../../../fixtures/safetensors-writer.ts';
import { encoderOf } from '../oracles/schemes/index.ts';
import { floats, gaussian } from './samples.ts';

export interface AdapterTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array;
  /** Default: F32. */
  readonly dtype?: 'F32' | 'F16' | 'BF16';
}

/** adapter_config.json as PEFT writes it, options that change nothing included. */
export const ADAPTER_CONFIG: Readonly<Record<string, unknown>> = {
  peft_type: 'LORA',
  base_model_name_or_path: '../../etc/passwd',
  r: 4,
  lora_alpha: 6,
  use_rslora: false,
  use_dora: false,
  bias: 'none',
  fan_in_fan_out: false,
  modules_to_save: null,
  rank_pattern: {},
  alpha_pattern: {},
  target_modules: ['q_proj', 'down_proj'],
};

/** A and B of a matrix `[rows, columns]`, random. */
export function adapterPair(
  module: string,
  [rows, columns]: readonly [number, number],
  rank = 4,
  seed = 1,
): AdapterTensor[] {
  const next = gaussian(seed);
  const tensor = (half: string, shape: readonly [number, number]): AdapterTensor => ({
    name: `base_model.model.${module}.lora_${half}.weight`,
    shape,
    values: floats(shape[0] * shape[1], () => 0.3 * next()),
  });
  return [tensor('A', [rank, columns]), tensor('B', [rows, rank])];
}

export function writeAdapter(
  folder: string,
  tensors: readonly AdapterTensor[],
  changes: Readonly<Record<string, unknown>> = {},
): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'adapter_config.json'), JSON.stringify({ ...ADAPTER_CONFIG, ...changes }));
  const plan = planSafetensors(tensors.map(({ name, shape, dtype = 'F32' }) => ({ name, shape, dtype })));
  const bytes = new Uint8Array(plan.bytes);
  bytes.set(plan.head);
  for (const { name, offset } of plan.tensors) {
    const { values, dtype = 'F32' } = tensors.find((tensor) => tensor.name === name)!;
    encoderOf(dtype)(values, 0, bytes, offset, values.length);
  }
  writeFileSync(path.join(folder, 'adapter_model.safetensors'), bytes);
}
