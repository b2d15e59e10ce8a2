/**
 * Where the grids of the IQ schemes lie in shared memory, one byte per value, for TypeScript, which puts them
 * there, and the kernels in AssemblyScript, which import this file.
 */
export const IQ2_XXS_GRID = 1024;
export const IQ2_XS_GRID = 3072;
export const IQ2_S_GRID = 7168;
export const IQ3_XXS_GRID = 15360;
export const IQ3_S_GRID = 16384;
/** Of IQ1_S and IQ1_M. */
export const IQ1_GRID = 18432;
