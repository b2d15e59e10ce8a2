import { readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import path from 'node:path';

/** Resources that this process may use: in a container, those of the container, not of its host. */
export interface Machine {
  readonly cores: number;
  /** Bytes of memory. */
  readonly memory: number;
  /** Whether a control group limits the memory, so that a process that takes more is killed. */
  readonly isConstrained: boolean;
  /** Bytes of address space that are left under `ulimit -v`; infinite where there is no limit. */
  readonly addressSpace: number;
}

/**
 * Read anew each time: limits of containers can change while they run. `root`: of the file systems /proc and
 * /sys.
 */
export function machine(root = '/'): Machine {
  const constrained = Math.min(nodesMemoryLimit(), ...controlGroups(root, 'memory').map(memoryLimitOf));
  const total = totalmem();
  return {
    cores: Math.max(1, Math.min(availableParallelism(), ...controlGroups(root, 'cpu').map(coresOf))),
    memory: Math.min(constrained, total),
    isConstrained: constrained < total,
    addressSpace: addressSpaceLeft(path.join(root, PROCESS)),
  };
}

/** 0 and huge numbers are what Node.js returns where there is no limit. */
function nodesMemoryLimit(): number {
  return process.constrainedMemory() || Infinity;
}

const PROCESS = 'proc/self';
const CONTROL_GROUPS = 'sys/fs/cgroup';

/**
 * Folders of the control groups that bind this process: its own and all above it, which Node.js does not look
 * at. Version 1 has a tree for each controller. In a container a path may be that of the host, which is not
 * there; the root then is its own group.
 */
function controlGroups(root: string, controller: 'memory' | 'cpu'): string[] {
  const folders: string[] = [];
  for (const line of contentOf(path.join(root, PROCESS, 'cgroup')).split('\n')) {
    const [, controllers, group] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (group === undefined) continue;
    const isUnified = controllers === '';
    if (!isUnified && !controllers!.split(',').includes(controller)) continue;
    const tree = path.join(root, CONTROL_GROUPS, isUnified ? '' : controller);
    for (let at = group; ; at = path.dirname(at)) {
      folders.push(path.join(tree, at));
      if (at === '/') break;
    }
  }
  return folders;
}

/**
 * `memory.max` of version 2 is a number or `max`, `memory.limit_in_bytes` of version 1 a number, huge for no
 * limit.
 */
function memoryLimitOf(folder: string): number {
  return Math.min(
    ...['memory.max', 'memory.limit_in_bytes'].map((name) => positive(contentOf(path.join(folder, name)))),
  );
}

/**
 * Cores by quota, which Node.js 20 does not look at. Version 2: `200000 100000` or `max 100000`; version 1:
 * two files, -1 for no quota.
 */
function coresOf(folder: string): number {
  const [quota = '', period = ''] = contentOf(path.join(folder, 'cpu.max')).split(' ');
  const older = ['cpu.cfs_quota_us', 'cpu.cfs_period_us'].map((name) => contentOf(path.join(folder, name)));
  return Math.ceil(Math.min(share(quota, period), share(older[0]!, older[1]!)));
}

function share(quota: string, period: string): number {
  const periods = positive(period);
  return periods === Infinity ? Infinity : positive(quota) / periods;
}

function addressSpaceLeft(own: string): number {
  const limit = /^Max address space +(\d+)/m.exec(contentOf(path.join(own, 'limits')))?.[1];
  if (limit === undefined) return Infinity;
  const taken = /^VmSize:\s+(\d+) kB/m.exec(contentOf(path.join(own, 'status')))?.[1];
  return Math.max(0, Number(limit) - 1024 * Number(taken ?? 0));
}

function positive(text: string): number {
  const value = /^\d+\s*$/.test(text) ? Number(text) : 0;
  return value > 0 ? value : Infinity;
}

/** Nothing where there is no such file, as on other systems than Linux. */
function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
