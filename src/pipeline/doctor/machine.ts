import os from 'node:os';
import { formatBytes } from '../../core/text/format.ts';
import { machine } from '../../kernels/machine.ts';
import { NODE_RANGE } from '../version.ts';
import { type Check, note, ok, problem } from './check.ts';

/** The memory that `convert` needs, with space for one chunk of a wide embedding. */
const ENOUGH_BYTES = 512e6;

export function checkSystem(): Check {
  return ok('system', `${os.type()} ${os.release()}, ${process.arch}`);
}

export function checkProcessor(): Check {
  const cores = os.cpus();
  const model = cores[0]?.model.replace(/\s+/g, ' ').trim() || 'unknown';
  return ok('processor', `${model}, ${machine().cores} of ${cores.length} cores to use`);
}

export function checkMemory(): Check {
  const total = os.totalmem();
  const { memory: most } = machine();
  const free = Math.min(most, process.availableMemory());
  const limited = most < total ? ` that this process may have of ${formatBytes(total)}` : '';
  const found = `${formatBytes(free)} free of ${formatBytes(most)}${limited}`;
  if (free >= ENOUGH_BYTES) return ok('memory', found);
  return note('memory', found, '`convert` takes some 220 MB; --max-memory SIZE sets a limit');
}

export function checkNode(version = process.versions.node): Check {
  const numbers = (text: string) => text.match(/\d+/g)!.map(Number);
  const [major = 0, minor = 0] = numbers(version);
  const [leastMajor = 0, leastMinor = 0] = numbers(NODE_RANGE);
  const isEnough = major > leastMajor || (major === leastMajor && minor >= leastMinor);
  if (isEnough) return ok('Node.js', `${version}, plmpress needs ${NODE_RANGE}`);
  return problem('Node.js', 'unsupported', version, `install Node.js ${NODE_RANGE} from https://nodejs.org/`);
}
