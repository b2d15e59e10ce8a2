/** The part of the WebAssembly interface that is used here; the types of Node 20 leave it out. */
declare namespace WebAssembly {
  class Module {
    private constructor();
  }
  class Memory {
    constructor(size: { initial: number; maximum: number; shared: true });
    readonly buffer: SharedArrayBuffer;
  }
  class Instance {
    constructor(module: Module, imports: Record<string, Record<string, Memory>>);
    readonly exports: Readonly<Record<string, unknown>>;
  }
  function compile(code: Uint8Array): Promise<Module>;
  function validate(code: Uint8Array): boolean;
}
