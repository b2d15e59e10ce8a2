import type { PlmConfig } from '../../../src/core/config.ts';
import { invalidInput } from '../../../src/core/errors.ts';
import type { JsonField } from '../../../src/core/json/json-field.ts';
import { plmTensors, type TensorSlot } from '../../../src/core/names.ts';
import {
  BUNDLE_SCHEMES,
  type BundleFile,
  type BundlePiece,
  type BundleTensor,
  scaleRowBytes,
  valueRowBytes,
} from '../../../src/webgpu/manifest.ts';
import { ALIGNMENT, PIECE_ROWS } from '../shards.ts';
import { storedLayout } from '../stored-form.ts';

/** A piece with its bytes, to be held against the others of its shard. */
interface Extent {
  readonly field: JsonField;
  readonly shard: number;
  readonly start: number;
  readonly end: number;
}

/**
 * Reads the entries of all tensors that the geometry has, in the order of `plmTensors`.
 * @throws PressError invalid-input where a tensor is missing, unknown or of another shape, and where pieces
 * are not whole, lie outside their shard or on one another.
 */
export function parseTensors(
  field: JsonField,
  config: PlmConfig,
  shards: readonly BundleFile[],
): BundleTensor[] {
  const slots = new Map(plmTensors(config).map((slot) => [slot.name, slot]));
  const entries = new Map<string, BundleTensor>();
  const extents: Extent[] = [];
  for (const item of field.items()) {
    const name = item.at('name').string();
    const slot = slots.get(name);
    if (slot === undefined || entries.has(name))
      throw item.at('name').unexpected('a tensor of the model, once');
    entries.set(name, parseTensor(item, slot, shards, extents));
  }
  assertDisjoint(extents);
  return [...slots.keys()].map((name) => {
    const entry = entries.get(name);
    if (entry === undefined) {
      throw invalidInput({ file: field.file, field: field.field, what: `lacks ${name}` });
    }
    return entry;
  });
}

function parseTensor(
  field: JsonField,
  slot: TensorSlot,
  shards: readonly BundleFile[],
  extents: Extent[],
): BundleTensor {
  const expected = storedLayout(slot);
  for (const key of ['rows', 'columns', 'layout'] as const) {
    if (field.at(key).value !== expected[key])
      throw field.at(key).unexpected(`${expected[key]} by the geometry`);
  }
  const known = slot.shape.length === 1 ? (['f32'] as const) : BUNDLE_SCHEMES;
  const scheme = known.find((name) => name === field.at('scheme').value);
  if (scheme === undefined) throw field.at('scheme').unexpected(known.join(', '));
  const layout = { name: slot.name, scheme, ...expected };
  const plane = (key: 'values' | 'scales', rowBytes: number) =>
    parsePlane(field.at(key), { rows: layout.rows, rowBytes, shards, extents });
  return {
    ...layout,
    values: plane('values', valueRowBytes(layout)),
    scales: plane('scales', scaleRowBytes(layout)),
  };
}

interface Plane {
  readonly rows: number;
  /** 0: the tensor has no such plane. */
  readonly rowBytes: number;
  readonly shards: readonly BundleFile[];
  readonly extents: Extent[];
}

function parsePlane(field: JsonField, { rows, rowBytes, shards, extents }: Plane): BundlePiece[] {
  if (rowBytes === 0) {
    if (field.array().length > 0) throw field.unexpected('no pieces: floats have no scales');
    return [];
  }
  let left = rows;
  const pieces = field.items().map((item): BundlePiece => {
    const shard = item.at('shard').integer(0, shards.length - 1);
    const offset = item.at('offset').integer(0);
    if (offset % ALIGNMENT !== 0) throw item.at('offset').unexpected(`a multiple of ${ALIGNMENT}`);
    if (left === 0) throw field.unexpected(`${rows} rows in all`);
    const count = item.at('rows').integer(1, left);
    left -= count;
    if (left > 0 && count % PIECE_ROWS !== 0) {
      throw item.at('rows').unexpected(`a multiple of ${PIECE_ROWS}, or the last rows`);
    }
    const end = offset + count * rowBytes;
    if (end > shards[shard]!.bytes) {
      throw item
        .at('offset')
        .unexpected(`${count * rowBytes} bytes inside the ${shards[shard]!.bytes} of the shard`);
    }
    extents.push({ field: item, shard, start: offset, end });
    return { shard, offset, rows: count };
  });
  if (left > 0) throw field.unexpected(`${rows} rows in all`);
  return pieces;
}

function assertDisjoint(extents: readonly Extent[]): void {
  const ordered = extents.toSorted((a, b) => a.shard - b.shard || a.start - b.start);
  for (const [index, { field, shard, start }] of ordered.entries()) {
    const before = ordered[index - 1];
    if (before?.shard === shard && before.end > start) {
      throw field.at('offset').unexpected(`${before.end} or more, behind ${before.field.field}`);
    }
  }
}
