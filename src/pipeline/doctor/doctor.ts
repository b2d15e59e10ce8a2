import type { Check } from './check.ts';
import { checkFolder } from './disk.ts';
import { checkDawn, checkOnnxRuntime } from './engines.ts';
import { checkHub, type HubCheckOptions } from './hub.ts';
import { checkKernels } from './kernels.ts';
import { checkMemory, checkNode, checkProcessor, checkSystem } from './machine.ts';

export type { Check } from './check.ts';

/**
 * Looks at what conversions need of this machine and may have of it. Shows no token, host name or home
 * folder.
 */
export async function examine(options: HubCheckOptions): Promise<Check[]> {
  const checks = [
    checkSystem(),
    checkProcessor(),
    checkMemory(),
    checkNode(),
    await checkKernels(),
    await checkFolder('disk', '.', 'the current folder'),
    ...(await checkHub(options)),
    await checkOnnxRuntime(),
    await checkDawn(),
  ];
  options.signal?.throwIfAborted();
  return checks;
}
