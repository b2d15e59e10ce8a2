import { invalidInput } from '../../../src/core/errors.ts';
import { JsonField } from '../../../src/core/json/json-field.ts';
import type { JsonValue } from '../../../src/core/json/json-value.ts';
import { plmTensors } from '../../../src/core/names.ts';
import type { BundleManifest, BundlePiece } from '../../../src/webgpu/manifest.ts';
import { scaleRowBytes, valueRowBytes } from '../../../src/webgpu/planes.ts';
import { plmConfig } from '../geometry.ts';
import { storedLayout } from '../stored-form.ts';

/**
 * Checks what a runtime need not know of a manifest: its tensors and rates are those that the geometry has,
 * and no two pieces overlap. `file` is what messages call it.
 * @throws PressError invalid-input, naming the field.
 */
export function checkManifest(manifest: BundleManifest, file: string): void {
  const wrong = (value: JsonValue, field: string, expected: string) =>
    new JsonField(value, file, field).unexpected(expected);
  checkTensors(manifest, file, wrong);
  checkFiring(manifest, wrong);
  checkOverlaps(manifest, wrong);
}

type Wrong = (value: JsonValue, field: string, expected: string) => Error;

function checkTensors({ model, tensors }: BundleManifest, file: string, wrong: Wrong): void {
  const missing = new Map(plmTensors(plmConfig(model)).map((slot) => [slot.name, slot]));
  for (const [index, tensor] of tensors.entries()) {
    const differs = (key: 'name' | 'rows' | 'columns' | 'layout' | 'scheme', expected: string) =>
      wrong(tensor[key], `tensors[${index}].${key}`, expected);
    const slot = missing.get(tensor.name);
    if (slot === undefined) throw differs('name', 'a tensor of the model, once');
    missing.delete(tensor.name);
    const layout = storedLayout(slot);
    for (const key of ['rows', 'columns', 'layout'] as const) {
      if (tensor[key] !== layout[key]) throw differs(key, `${layout[key]} by the geometry`);
    }
    if (slot.shape.length === 1 && tensor.scheme !== 'f32') throw differs('scheme', 'f32');
  }
  for (const name of missing.keys())
    throw invalidInput({ file, field: 'tensors', what: `${name} is missing` });
}

function checkFiring({ model, firing }: BundleManifest, wrong: Wrong): void {
  const widths = model.intermediate_sizes;
  if (firing === undefined) return;
  if (firing.length !== widths.length) throw wrong(firing, 'firing', `${widths.length} layers`);
  for (const [layer, rates] of firing.entries()) {
    const width = widths[layer]!;
    if (rates.length !== width) throw wrong(rates, `firing[${layer}]`, `${width} neurons`);
  }
}

function checkOverlaps({ tensors }: BundleManifest, wrong: Wrong): void {
  const extents = tensors.flatMap((tensor, index) => {
    const of = (plane: 'values' | 'scales', rowBytes: number) =>
      tensor[plane].map(({ shard, offset, rows }: BundlePiece, piece) => ({
        field: `tensors[${index}].${plane}[${piece}]`,
        shard,
        offset,
        end: offset + rows * rowBytes,
      }));
    return [...of('values', valueRowBytes(tensor)), ...of('scales', scaleRowBytes(tensor))];
  });
  extents.sort((a, b) => a.shard - b.shard || a.offset - b.offset);
  for (const [index, { field, shard, offset }] of extents.entries()) {
    const before = extents[index - 1];
    if (before?.shard === shard && before.end > offset) {
      throw wrong(offset, `${field}.offset`, `${before.end} or more, behind ${before.field}`);
    }
  }
}
