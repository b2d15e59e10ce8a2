import type { Execute } from './control.ts';
import { type Job, KERNELS, type KernelName } from './jobs.ts';
import { CONTROL_FIELDS, scratchOf } from './layout.ts';
import { type Pointer, SharedViews } from './memory.ts';
import { PLAIN_KERNELS } from './plain/index.ts';
import type { PlainThread, TileRange } from './plain/kernel.ts';

/** What a thread needs to take part: the memory, and the module unless it runs the plain twins. */
export interface Workplace {
  readonly buffer: SharedArrayBuffer;
  /**
   * A module and a memory of WebAssembly, which the types of Node that users of the package compile with
   * leave out.
   */
  readonly wasm: { readonly module: object; readonly memory: object } | undefined;
}

type WasmKernel = (fields: Pointer, scratch: Pointer, first: number, end: number) => void;

/** The kernels as thread `threadIndex` runs them; thread 0 is the caller. */
export function executor({ buffer, wasm }: Workplace, threadIndex: number): Execute {
  const scratch = scratchOf(threadIndex);
  if (wasm !== undefined) {
    const memory = wasm.memory as WebAssembly.Memory;
    const { exports } = new WebAssembly.Instance(wasm.module as WebAssembly.Module, { env: { memory } });
    return (kernel, first, end) => (exports[kernel] as WasmKernel)(CONTROL_FIELDS, scratch, first, end);
  }
  const thread = { views: new SharedViews(buffer), scratch };
  return (kernel, first, end) => runPlain(kernel, thread, { first, end });
}

function runPlain<K extends KernelName>(kernel: K, thread: PlainThread, tiles: TileRange): void {
  PLAIN_KERNELS[kernel](thread, readJob(kernel, thread.views), tiles);
}

function readJob<K extends KernelName>(kernel: K, views: SharedViews): Job<K> {
  const fields: readonly string[] = KERNELS[kernel].fields;
  const values = views.doubles(CONTROL_FIELDS, fields.length);
  return Object.fromEntries(fields.map((field, index) => [field, values[index]!])) as Job<K>;
}
