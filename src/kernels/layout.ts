import type { GridName } from '../schemes/grids.ts';
import {
  IQ1_GRID,
  IQ2_S_GRID,
  IQ2_XS_GRID,
  IQ2_XXS_GRID,
  IQ3_S_GRID,
  IQ3_XXS_GRID,
} from './grid-addresses.ts';
import type { Pointer } from './memory.ts';

/**
 * The shared memory from address 0: the control block, the grids of the IQ schemes, one scratch area per
 * thread, then the arena that `alloc` hands out. The WebAssembly module has no data of its own. Nothing lies
 * at address 0, so that 0 is never a good pointer.
 */
export const PAGE_BYTES = 65536;

/** 4 GiB less a page: an area that ended at 2^32 exactly would end at address 0 for the kernels. */
export const MAX_PAGES = 65535;

export const CONTROL_WORDS = 64;
export const CONTROL_FIELDS = 128;
export const CONTROL_FAILURE = 512;
export const CONTROL_FAILURE_BYTES = 512;

/** Where WebAssembly finds each grid, one byte per value. */
export const GRIDS: Readonly<Record<GridName, Pointer>> = {
  IQ2_XXS: IQ2_XXS_GRID,
  IQ2_XS: IQ2_XS_GRID,
  IQ2_S: IQ2_S_GRID,
  IQ3_XXS: IQ3_XXS_GRID,
  IQ3_S: IQ3_S_GRID,
  IQ1_S: IQ1_GRID,
};

const SCRATCH_START = 34816;

/**
 * Scratch of one thread: rows of a weight tile up to 131,072 columns, or attention scores of 524,288
 * positions. Pages that are never touched cost address space only.
 */
export const SCRATCH_BYTES = 2 * 1024 * 1024;

/** Areas start on cache lines. */
export const ALIGNMENT = 64;

export function scratchOf(thread: number): Pointer {
  return SCRATCH_START + thread * SCRATCH_BYTES;
}

export function arenaStart(threads: number): Pointer {
  return scratchOf(threads);
}
