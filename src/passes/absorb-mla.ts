import type { PlmConfig } from '../core/config.ts';
import type { Change } from '../core/model.ts';
import { layerTensorName, plmTensors } from '../core/names.ts';
import type { Tensor } from '../core/tensor.ts';
import { transposedKeyRows, valueRows } from './kv-b-heads.ts';
import type { Pass } from './pass.ts';

const NAME = 'absorb-mla';

/**
 * Splits kv_b_proj into k_b_proj, the transposed nope rows of every head, and v_b_proj, its v rows: what attention
 * over a latent cache multiplies with (DeepSeek-V2, arXiv 2405.04434, section 2.1.2). No weight changes or is added.
 */
export const absorbMla = {
  name: NAME,
  summary: 'split kv_b into k_b (transposed) and v_b by the head, for attention over a latent cache',
  defaults: {},
  run(model) {
    if (model.config.kvBForm === 'split') return model;
    const config: PlmConfig = { ...model.config, kvBForm: 'split' };
    const made = new Map<string, Tensor>();
    const changes: Change[] = [];
    for (let layer = 0; layer < config.numHiddenLayers; layer++) {
      const source = model.tensors.get(layerTensorName('kv_b_proj', layer));
      if (source === undefined) continue;
      for (const [role, heads] of [
        ['k_b_proj', transposedKeyRows],
        ['v_b_proj', valueRows],
      ] as const) {
        const name = layerTensorName(role, layer);
        made.set(name, heads(source, name, config));
      }
      changes.push(changeOf(source.name, 'one matrix', 'k_b_proj and v_b_proj'));
    }
    const tensors = new Map<string, Tensor>();
    for (const { name } of plmTensors(config)) {
      const tensor = made.get(name) ?? model.tensors.get(name);
      if (tensor !== undefined) tensors.set(name, tensor);
    }
    const configChange = changeOf('config', 'kv_b_proj', 'k_b_proj and v_b_proj');
    return { ...model, config, tensors, changes: [...model.changes, ...changes, configChange] };
  },
} satisfies Pass;

function changeOf(subject: string, from: string, to: string): Change {
  return { pass: NAME, subject, from, to, reason: 'the target attends over the latent' };
}
