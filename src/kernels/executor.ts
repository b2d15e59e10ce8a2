import type { Execute } from './control.ts';
import { CONTROL_FIELDS, scratchOf } from './layout.ts';
import type { Pointer } from './memory.ts';

/**
 * What a thread needs to take part: a module and a memory of WebAssembly, which the types of Node that users
 * of the package compile with leave out.
 */
export interface Workplace {
  readonly module: object;
  readonly memory: object;
}

type Kernel = (fields: Pointer, scratch: Pointer, first: number, end: number) => void;

/** The kernels as thread `threadIndex` runs them; thread 0 is the caller. */
export function executor({ module, memory }: Workplace, threadIndex: number): Execute {
  const imports = { env: { memory: memory as WebAssembly.Memory } };
  const { exports } = new WebAssembly.Instance(module as WebAssembly.Module, imports);
  const scratch = scratchOf(threadIndex);
  return (kernel, first, end) => (exports[kernel] as Kernel)(CONTROL_FIELDS, scratch, first, end);
}

export function bufferOf({ memory }: Workplace): SharedArrayBuffer {
  // Typed for memories that are not shared.
  return (memory as WebAssembly.Memory).buffer as ArrayBufferLike as SharedArrayBuffer;
}
