import type { PlannedTensor } from '../../src/core/export-plan.ts';
import type { Model } from '../../src/core/model.ts';
import { plmTensors, type TensorSlot } from '../../src/core/names.ts';
import { rowCount, type Tensor } from '../../src/core/tensor.ts';
import { leastCommonMultiple } from '../../src/passes/rows/float-rows.ts';
import type { BundleTensor } from '../../src/webgpu/manifest.ts';
import { type MatrixScheme, scaleRowBytes, valueRowBytes } from '../../src/webgpu/planes.ts';
import { STORED_SCHEMES } from './schemes.ts';
import { planes } from './shards.ts';
import { storedLayout, toStoredForm } from './stored-form.ts';

/**
 * A tensor as the kernels of src/webgpu read it, straight from a model: all values at 0, all scales behind
 * them.
 */
export interface DeviceForm {
  readonly tensor: BundleTensor;
  readonly planned: PlannedTensor;
}

/**
 * The tensors of a layer, or the norm before the head: q4 and q8 where they are stored so by rows, vectors f32,
 * all else f16.
 */
export function deviceForms(model: Model, layer: number | 'head'): DeviceForm[] {
  return plmTensors(model.config)
    .filter((slot) => (layer === 'head' ? slot.role === 'norm' : slot.layer === layer))
    .map((slot) => deviceForm(slot, model.tensors.get(slot.name)!));
}

function deviceForm(slot: TensorSlot, source: Tensor): DeviceForm {
  const { name } = slot;
  const stored = toStoredForm(slot, source);
  const scheme = slot.shape.length === 1 ? 'f32' : matrixScheme(stored);
  const tensor: BundleTensor = { name, scheme, ...storedLayout(slot), values: [], scales: [] };
  const widths = [valueRowBytes(tensor), scaleRowBytes(tensor)] as const;
  return {
    tensor,
    planned: {
      name,
      scheme: STORED_SCHEMES[scheme],
      offset: 0,
      source: inWholeWords(stored),
      ...(tensor.layout === 'neurons' && { transposed: true }),
      ...((scheme === 'q8' || scheme === 'q4') && {
        packing: planes(STORED_SCHEMES[scheme], [0, rowCount(stored) * widths[0]], widths),
      }),
    },
  };
}

function matrixScheme({ scheme }: Tensor): MatrixScheme {
  if (scheme === 'Q8_0') return 'q8';
  return scheme === 'Q4_0' ? 'q4' : 'f16';
}

/** Two rows at a time: of scales, one may be half a word. */
function inWholeWords(tensor: Tensor): Tensor {
  return {
    ...tensor,
    rowStep: leastCommonMultiple(tensor.rowStep, 2),
    readRows: (range, into, signal) => tensor.readRows(range, into, signal),
  };
}
