import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import os from 'node:os';

let known: string | undefined;

/**
 * Where a process number means a process, as 16 hex digits: one boot of one machine, and one namespace of process
 * numbers there. Containers of one machine have the same boot, but namespaces of their own.
 */
export function ownPlace(): string {
  known ??= createHash('sha256').update(JSON.stringify(facts())).digest('hex').slice(0, 16);
  return known;
}

function facts(): readonly unknown[] {
  const { platform } = process;
  if (platform !== 'linux') return [platform, os.hostname(), ...hardwareAddresses()];
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    return [platform, os.hostname(), boot, readlinkSync('/proc/self/ns/pid')];
  } catch {
    // Without /proc nobody can tell whether another process is in the same place.
    return [randomBytes(8).toString('hex')];
  }
}

/** Machines may have one name, but no two of them one set of network interfaces. */
function hardwareAddresses(): string[] {
  const interfaces = Object.values(os.networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return [...new Set(interfaces.filter(({ internal }) => !internal).map(({ mac }) => mac))].sort();
}
