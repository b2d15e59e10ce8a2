/** What kernels are measured with, of the product. */
export { DeviceWeights } from '../../src/webgpu/engine/device-weights.ts';
export { bindParams, dispatchOf, encodeDispatches, type Groups } from '../../src/webgpu/engine/dispatch.ts';
export { ForwardPass } from '../../src/webgpu/engine/forward-pass.ts';
export { KernelCompiler, type KernelSource } from '../../src/webgpu/engine/kernel.ts';
export { PARAMS_STRIDE, paramsBytes } from '../../src/webgpu/engine/params.ts';
export { PickStep } from '../../src/webgpu/engine/pick-step.ts';
export { SPLIT } from '../../src/webgpu/engine/plm-engine.ts';
export { groupRows, projectKernel } from '../../src/webgpu/engine/shaders.ts';
