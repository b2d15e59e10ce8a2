import { invalidInput } from '../../core/errors.ts';
import { parseJson } from '../../core/json/json.ts';
import type { JsonField } from '../../core/json/json-field.ts';
import { unknownName } from '../../core/text/unknown-name.ts';
import { assertExists } from '../../io/existing-path.ts';
import { readTextFile } from '../../io/text-file.ts';

/** The properties of a device that decide how fast it decodes and what fits. */
export interface DeviceProfile {
  readonly name: string;
  /** Nominal peak bandwidth of its memory. */
  readonly bytesPerSecond: number;
  /** All its memory, that of the system included. */
  readonly memoryBytes: number;
  /** Part of the memory that one program can have; the rest belongs to the system. Above 0, at most 1. */
  readonly usableShare: number;
}

/**
 * Devices that PLM is made for. Bandwidths and sizes are the makers' nominal ones, a GB being 1e9 bytes;
 * shares are assumptions: an eighth for a bare Linux, a quarter for a desktop, a half for a phone with its
 * apps.
 */
export const DEVICES: readonly DeviceProfile[] = [
  { name: 'raspberry-pi-5', bytesPerSecond: 17.1e9, memoryBytes: 8e9, usableShare: 0.875 },
  { name: 'phone', bytesPerSecond: 76.8e9, memoryBytes: 12e9, usableShare: 0.5 },
  { name: 'jetson-orin-nano', bytesPerSecond: 102e9, memoryBytes: 8e9, usableShare: 0.875 },
  { name: 'laptop', bytesPerSecond: 102.4e9, memoryBytes: 16e9, usableShare: 0.75 },
];

/** Bytes that one program can have. */
export function usableBytes({ memoryBytes, usableShare }: DeviceProfile): number {
  return Math.floor(memoryBytes * usableShare);
}

/** The profiles of these names, in the order of `known`. Throws a usage error that lists the names. */
export function selectDevices(known: readonly DeviceProfile[], names: readonly string[]): DeviceProfile[] {
  for (const name of names) {
    if (known.some((device) => device.name === name)) continue;
    throw unknownName(
      'device',
      name,
      known.map((device) => device.name),
    );
  }
  return known.filter(({ name }) => names.includes(name));
}

const MAX_FILE_BYTES = 1_000_000;
const MAX_DEVICES = 100;
const FIELDS = ['name', 'bytesPerSecond', 'memoryBytes', 'usableShare'];
/** Safe on a terminal, and narrow enough for a table. */
const NAME = /^[a-z0-9][a-z0-9._-]{0,39}$/;
/** Beyond any machine, and far from where sums of bytes lose their last digit. */
const MAX_BYTES = 1e15;

/**
 * Reads `{"devices": [{"name", "bytesPerSecond", "memoryBytes", "usableShare"}]}`.
 * @throws PressError `local-io` where the file is missing; `invalid-input` naming file and field where a
 * field is missing, unknown or out of range, or a name is taken.
 */
export async function readDevices(file: string): Promise<DeviceProfile[]> {
  await assertExists(file);
  const { text } = await readTextFile(file, file, MAX_FILE_BYTES);
  const root = parseJson(text, file);
  refuseUnknown(root, ['devices']);
  const items = root.at('devices').items(MAX_DEVICES);
  if (items.length === 0) throw root.at('devices').unexpected('at least one device');
  const taken = new Set(DEVICES.map(({ name }) => name));
  return items.map((item) => {
    const device = readDevice(item);
    if (taken.has(device.name)) throw item.at('name').unexpected('a name that no other device has');
    taken.add(device.name);
    return device;
  });
}

function readDevice(item: JsonField): DeviceProfile {
  refuseUnknown(item, FIELDS);
  const name = item.at('name');
  if (!NAME.test(name.string())) throw name.unexpected('at most 40 of a-z, 0-9, dot, dash, underscore');
  const share = item.at('usableShare');
  if (!(share.number() > 0 && share.number() <= 1)) throw share.unexpected('a number above 0, at most 1');
  return {
    name: name.string(),
    bytesPerSecond: item.at('bytesPerSecond').integer(1, MAX_BYTES),
    memoryBytes: item.at('memoryBytes').integer(1, MAX_BYTES),
    usableShare: share.number(),
  };
}

function refuseUnknown(object: JsonField, known: readonly string[]): void {
  for (const [key, { file, field }] of object.entries()) {
    if (!known.includes(key))
      throw invalidInput({ file, field, what: 'unknown field', expected: known.join(', ') });
  }
}
