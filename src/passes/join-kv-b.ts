import type { PlmConfig } from '../core/config.ts';
import type { Change, Model } from '../core/model.ts';
import { layerTensorName, plmTensors } from '../core/names.ts';
import type { Tensor } from '../core/tensor.ts';
import type { Pass } from './pass.ts';
import { joinedRows } from './rows/kv-b-heads.ts';

const NAME = 'join-kv-b';

/**
 * Puts kv_b_proj together again from k_b_proj and v_b_proj, as `absorb-mla` split it: the rows that it had,
 * bit by bit, where both parts are floats.
 */
export const joinKvB = {
  name: NAME,
  summary: 'join k_b and v_b, as ONNX graphs and deepseek2 files store them, into kv_b again',
  defaults: {},
  requires: ({ config: { kvBForm } }) =>
    kvBForm === 'premultiplied' ? ['kv_b_proj has been multiplied into q and o_proj'] : [],
  run(model) {
    if (model.config.kvBForm !== 'split') return model;
    const { kvBForm: _, ...config } = model.config;
    const joined = config.intermediateSizes.map((_, layer) => joinLayer(model, layer));
    const made = new Map(joined.map((tensor) => [tensor.name, tensor]));
    const tensors = plmTensors(config).map(
      ({ name }) => [name, made.get(name) ?? model.tensors.get(name)!] as const,
    );
    return {
      ...model,
      config,
      tensors: new Map(tensors),
      changes: [...model.changes, ...[...joined.map(({ name }) => name), 'config'].map(changeOf)],
    };
  },
  ensures: ({ config: { kvBForm } }) => (kvBForm === undefined ? [] : [`leaves kv_b_proj ${kvBForm}`]),
} satisfies Pass;

function joinLayer({ config, tensors }: Model, layer: number): Tensor {
  const [kB, vB] = (['k_b_proj', 'v_b_proj'] as const).map(
    (role) => tensors.get(layerTensorName(role, layer))!,
  );
  return joinedRows(kB!, vB!, layerTensorName('kv_b_proj', layer), config);
}

function changeOf(subject: string): Change {
  const reason = 'the target stores kv_b_proj as checkpoints do';
  return { pass: NAME, subject, from: 'k_b_proj and v_b_proj', to: 'one matrix', reason };
}

/** Whether a tensor has been put together by this pass. */
export function isJoined({ changes }: Pick<Model, 'changes'>, tensor: string): boolean {
  return changes.some(({ pass, subject }) => pass === NAME && subject === tensor);
}

/** Why a pass that rewrites kv_b_proj cannot run on a model, if so. */
export function jointKvBFaults({ kvBForm }: PlmConfig): string[] {
  if (kvBForm === undefined) return [];
  const hint = kvBForm === 'split' ? `run ${NAME} first` : 'run it before absorb-mla';
  return [`the model has no kv_b_proj: ${hint}`];
}
