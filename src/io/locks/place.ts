import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import os from 'node:os';

/** Where a process number identifies a process: one boot of one machine, and one PID namespace in it. */
export interface Place {
  /** Name of the machine or container, for people. */
  readonly host: string;
  /** Digest that differs between places, 16 hex digits. */
  readonly place: string;
  /**
   * On Linux: the id of the boot, and the namespace as /proc spells it. Containers share the first, but not
   * the second.
   */
  readonly boot?: string | undefined;
  readonly namespace?: string | undefined;
}

let known: Place | undefined;

export function ownPlace(): Place {
  known ??= findPlace();
  return known;
}

function findPlace(): Place {
  const host = os.hostname();
  const { platform } = process;
  if (platform !== 'linux') return { host, place: digestOf([platform, host, ...hardwareAddresses()]) };
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    const namespace = readlinkSync('/proc/self/ns/pid');
    return { host, place: digestOf([platform, host, boot, namespace]), boot, namespace };
  } catch {
    // Without /proc it is unknown whether another process is in the same place.
    return { host, place: digestOf([randomBytes(8).toString('hex')]) };
  }
}

function digestOf(facts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 16);
}

/** Two machines may have the same name, but not the same network interfaces. */
function hardwareAddresses(): string[] {
  const interfaces = Object.values(os.networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return [...new Set(interfaces.filter(({ internal }) => !internal).map(({ mac }) => mac))].sort();
}
