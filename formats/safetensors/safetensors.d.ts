/** The part of the npm package `safetensors` that is used. It has no types of its own. */
declare module 'safetensors' {
  export class SafeTensor {
    /** `file` must start at offset 0 of its buffer and hold no `__metadata__`. */
    constructor(file: Uint8Array);
    /** A view of the stored bytes. */
    getTensor(name: string): Uint8Array;
  }
  // Node sees the package as CommonJS and gives its exports as the default.
  const exports: { readonly SafeTensor: typeof SafeTensor };
  export default exports;
}
