/** What `Params` of kernels/params.wgsl holds. */
export interface Params {
  readonly position: number;
  readonly tokens: number;
  readonly row: number;
  readonly split: number;
  readonly splits: number;
}

/** The greatest alignment of uniforms that a device may ask for. */
export const PARAMS_STRIDE = 256;

/** Params side by side, each at its own offset. */
export function paramsBytes(slots: readonly Params[]): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array((slots.length * PARAMS_STRIDE) / 4);
  for (const [slot, { position, tokens, row, split, splits }] of slots.entries()) {
    words.set([position, tokens, row, split, splits], (slot * PARAMS_STRIDE) / 4);
  }
  return words;
}
