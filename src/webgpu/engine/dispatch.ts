import type { KernelCompiler, KernelSource } from './kernel.ts';
import { PARAMS_STRIDE } from './params.ts';

/** Workgroups along each axis, by tokens and, of attention, ranges of the cache. */
export type Groups = (tokens: number, splits: number) => readonly [number, number, number];

/** A kernel with what it binds, but for the params. */
export interface Dispatch {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
  readonly resources: readonly GPUBindingResource[];
  readonly groups: Groups;
}

/** A dispatch that can be encoded. */
export interface BoundDispatch extends Dispatch {
  readonly group: GPUBindGroup;
}

export async function dispatchOf(
  compiler: KernelCompiler,
  source: KernelSource,
  resources: readonly GPUBindingResource[],
  groups: Groups,
): Promise<Dispatch> {
  const pipeline = await compiler.compile(source);
  return { pipeline, layout: compiler.layout(source.bindings), resources, groups };
}

/** Binds the buffer that dispatches take their params from. */
export function bindParams(
  device: GPUDevice,
  dispatches: readonly Dispatch[],
  params: GPUBuffer,
): BoundDispatch[] {
  return dispatches.map((dispatch) => {
    const resources = [{ buffer: params, size: PARAMS_STRIDE }, ...dispatch.resources];
    const entries = resources.map((resource, binding) => ({ binding, resource }));
    return { ...dispatch, group: device.createBindGroup({ layout: dispatch.layout, entries }) };
  });
}

/** Encodes dispatches that read the params in `slot`. */
export function encodeDispatches(
  encoder: GPUComputePassEncoder,
  dispatches: readonly BoundDispatch[],
  slot: number,
  tokens: number,
  splits = 1,
): void {
  for (const { pipeline, group, groups } of dispatches) {
    encoder.setPipeline(pipeline);
    encoder.setBindGroup(0, group, [slot * PARAMS_STRIDE]);
    encoder.dispatchWorkgroups(...groups(tokens, splits));
  }
}
