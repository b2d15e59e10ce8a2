import type { PlmConfig } from '../../../src/core/config.ts';
import type { StoredForm } from '../../../src/core/model.ts';
import { plmTensors } from '../../../src/core/names.ts';
import type { Tensor } from '../../../src/core/tensor.ts';
import type { BundleTensor } from '../../../src/webgpu/manifest.ts';
import { fromStoredForm, toStoredForm } from '../stored-form.ts';
import { type OpenShard, PlaneTensor } from './plane-tensor.ts';

export interface BundleTensors {
  /** As models have them, by Hugging Face name. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** As the bundle stores them. */
  readonly stored: StoredForm;
}

/** Tensors of a bundle, one entry for each that the geometry has, read from open shards. */
export function bundleTensors(
  config: PlmConfig,
  entries: readonly BundleTensor[],
  shards: readonly OpenShard[],
): BundleTensors {
  const byName = new Map(entries.map((entry) => [entry.name, entry]));
  const slots = plmTensors(config);
  const stored = new Map(
    slots.map(({ name, shape }): [string, Tensor] => [
      name,
      new PlaneTensor(byName.get(name)!, shape.length === 1, shards),
    ]),
  );
  const tensors = new Map(
    slots.map((slot): [string, Tensor] => [slot.name, fromStoredForm(slot, stored.get(slot.name)!)]),
  );
  return { tensors, stored: { tensors: stored, of: toStoredForm } };
}
