import type { Model } from '../../../src/core/model.ts';
import { plmTensors, type TensorSlot } from '../../../src/core/names.ts';
import type { Tensor } from '../../../src/core/tensor.ts';
import type { GgufArchitecture } from '../architecture.ts';
import { BETA, foldBeta, gateName, gateOf } from '../swiglu.ts';

/** A tensor that a GGUF holds. */
export interface Content {
  readonly slot: TensorSlot;
  /** Name in the file. */
  readonly name: string;
  readonly source: Tensor;
  /** Name of a matrix with the same inputs, whose importances will do. */
  readonly twin?: string;
}

/** Every tensor of a file of arch `arch`, in the order of `plmTensors`. The arch must hold the model. */
export function contentsOf(model: Model, arch: GgufArchitecture): Content[] {
  const plain = plmTensors(model.config).map((slot) => contentOf(model, slot));
  return arch === 'plm' ? plain : plain.flatMap(inDeepseek2);
}

// A slot of a model that was not refused has a name, and none has more than 28 bytes of the 63 allowed.
function contentOf(model: Model, slot: TensorSlot): Content {
  const source = model.tensors.get(slot.name);
  if (source === undefined) throw new Error(`the model has no ${slot.name}`);
  return { slot, name: slot.ggufName!, source };
}

function inDeepseek2(content: Content): Content[] {
  const { slot, name, source } = content;
  switch (slot.role) {
    case 'post_attention_layernorm':
      return [{ ...content, source: foldBeta(source, BETA) }];
    case 'up_proj': {
      const gate = gateName(name);
      const gateSlot = { ...slot, ggufName: gate };
      return [{ ...content, slot: gateSlot, name: gate, source: gateOf(source, BETA), twin: name }, content];
    }
    default:
      return [content];
  }
}
