/** Flags of the specification, as numbers: outside browsers there are no globals that name them. */
export const MAP_READ = 0x0001;
export const COPY_SRC = 0x0004;
export const COPY_DST = 0x0008;
export const UNIFORM = 0x0040;
export const STORAGE = 0x0080;

/** Visibility of a binding, and mode of mapping. */
export const COMPUTE_STAGE = 0x4;
export const MAP_MODE_READ = 0x1;
