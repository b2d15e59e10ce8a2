import { parseJson } from '../../core/json/json.ts';
import { array, exact, integer, matching, number, type Read, where } from '../../core/json/schema.ts';
import { unknownName } from '../../core/text/unknown-name.ts';
import { assertExists } from '../../io/existing-path.ts';
import { readTextFile } from '../../io/text-file.ts';

/** Beyond any machine, and far from where sums of bytes lose their last digit. */
const MAX_BYTES = 1e15;

/** What decides how fast a device decodes and what fits into it. */
const device = exact({
  /** Safe on a terminal, and narrow enough for a table. */
  name: matching(/^[a-z0-9][a-z0-9._-]{0,39}$/, 'at most 40 of a-z, 0-9, dot, dash, underscore'),
  /** Nominal peak bandwidth of its memory. */
  bytesPerSecond: integer(1, MAX_BYTES),
  /** All its memory, that of the system included. */
  memoryBytes: integer(1, MAX_BYTES),
  /** Part of the memory that one program can have; the rest belongs to the system. Above 0, at most 1. */
  usableShare: where(number, (value) => value > 0 && value <= 1, 'a number above 0, at most 1'),
});

export type DeviceProfile = Read<typeof device>;

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
const deviceList = exact({ devices: array(device, { max: MAX_DEVICES, some: 'device' }) });

/**
 * Reads `{"devices": [{"name", "bytesPerSecond", "memoryBytes", "usableShare"}]}`.
 * @throws PressError `local-io` where the file is missing; `invalid-input` naming file and field where a
 * field is missing, unknown or out of range, or a name is taken.
 */
export async function readDevices(file: string): Promise<readonly DeviceProfile[]> {
  await assertExists(file);
  const { text } = await readTextFile(file, file, MAX_FILE_BYTES);
  const root = parseJson(text, file);
  const { devices } = deviceList(root);
  const taken = new Set(DEVICES.map(({ name }) => name));
  for (const [index, field] of root.at('devices').items().entries()) {
    const { name } = devices[index]!;
    if (taken.has(name)) throw field.at('name').unexpected('a name that no other device has');
    taken.add(name);
  }
  return devices;
}
