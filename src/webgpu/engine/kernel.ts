import { COMPUTE_STAGE } from './buffer-usage.ts';

/**
 * What a kernel binds, in the order of its bindings. `params` is a uniform at an offset that each dispatch
 * chooses.
 */
export type BindingKind = 'params' | 'uniform' | 'read' | 'write';

export interface KernelSource {
  readonly name: string;
  readonly code: string;
  readonly bindings: readonly BindingKind[];
}

/** Compiles kernels, each once, while others are compiled. */
export class KernelCompiler {
  readonly #device: GPUDevice;
  readonly #layouts = new Map<string, GPUBindGroupLayout>();
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  compile({ name, code, bindings }: KernelSource): Promise<GPUComputePipeline> {
    const known = this.#pipelines.get(code);
    if (known !== undefined) return known;
    const device = this.#device;
    const pipeline = device.createComputePipelineAsync({
      label: name,
      layout: device.createPipelineLayout({ bindGroupLayouts: [this.layout(bindings)] }),
      compute: { module: device.createShaderModule({ label: name, code }), entryPoint: 'main' },
    });
    this.#pipelines.set(code, pipeline);
    return pipeline;
  }

  layout(bindings: readonly BindingKind[]): GPUBindGroupLayout {
    const key = bindings.join();
    const known = this.#layouts.get(key);
    if (known !== undefined) return known;
    const entries = bindings.map((kind, binding) => ({
      binding,
      visibility: COMPUTE_STAGE,
      buffer: LAYOUTS[kind],
    }));
    const layout = this.#device.createBindGroupLayout({ entries });
    this.#layouts.set(key, layout);
    return layout;
  }
}

const LAYOUTS: Readonly<Record<BindingKind, GPUBufferBindingLayout>> = {
  params: { type: 'uniform', hasDynamicOffset: true },
  uniform: { type: 'uniform' },
  read: { type: 'read-only-storage' },
  write: { type: 'storage' },
};
