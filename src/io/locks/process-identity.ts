import { readdir, readFile, readlink } from 'node:fs/promises';
import { ownPlace, type Place } from './place.ts';

/** A process as another one can recognize it: numbers are used again, number and start together are not. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks from boot to start, as /proc spells them; undefined where the system has no /proc. */
  readonly started: string | undefined;
}

export async function ownIdentity(): Promise<ProcessIdentity> {
  return { pid: process.pid, started: (await processState(process.pid))?.started };
}

/** Whether a process of this place still runs. If its start is unknown, any process of that number counts. */
export async function isAlive({ pid, started }: ProcessIdentity): Promise<boolean> {
  if (!exists(pid)) return false;
  const now = await processState(pid);
  if (now === undefined) return true;
  return !now.ended && (started === undefined || started === now.started);
}

/** The number that Linux gives to the initial PID namespace only. */
const FIRST_NAMESPACE = 'pid:[4026531836]';

/**
 * Whether a process of another PID namespace of this machine still runs. Undefined if this process cannot see
 * it: only the initial namespace shows the processes of all others, and those of other users only to root.
 */
export async function isAliveInside(
  { started }: Pick<ProcessIdentity, 'started'>,
  { boot, namespace }: Pick<Place, 'boot' | 'namespace'>,
): Promise<boolean | undefined> {
  const own = ownPlace();
  if (boot === undefined || boot !== own.boot || own.namespace !== FIRST_NAMESPACE) return undefined;
  const numbers = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  // Process 1 is in the first namespace, and may be closed even to root.
  for (const pid of numbers.filter((number) => number > 1)) {
    try {
      if ((await readlink(`/proc/${pid}/ns/pid`)) !== namespace) continue;
    } catch (error) {
      if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) continue;
      return undefined;
    }
    const now = await processState(pid);
    if (now !== undefined && !now.ended && (started === undefined || started === now.started)) return true;
  }
  return false;
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // A process of another user cannot be signalled, but it exists.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Fields of proc(5) `stat`, counted from the one after the command's name. */
const STATE_FIELD = 0;
const START_FIELD = 19;

async function processState(pid: number): Promise<{ ended: boolean; started: string } | undefined> {
  const stat = await readStat(pid).catch(() => undefined);
  if (stat === undefined) return undefined;
  // The name is in parentheses, and may contain spaces and parentheses itself.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // Zombies (Z) and the dead (X) hold a number, but do nothing any more.
  return { ended: /[ZX]/.test(fields[STATE_FIELD]!), started: fields[START_FIELD]! };
}

async function readStat(pid: number): Promise<string | undefined> {
  if (pid === process.pid) return readFile('/proc/self/stat', 'latin1');
  // In a new namespace /proc may still show the old one, in which the number is that of another process.
  const isOurs = (await readlink('/proc/self')) === `${process.pid}`;
  return isOurs ? readFile(`/proc/${pid}/stat`, 'latin1') : undefined;
}
