/** What kernels are measured with, of the product. */
export { DeviceWeights } from '../../src/webgpu/device-weights.ts';
export { bindParams, dispatchOf, encodeDispatches, type Groups } from '../../src/webgpu/dispatch.ts';
export { ForwardPass } from '../../src/webgpu/forward-pass.ts';
export { KernelCompiler, type KernelSource } from '../../src/webgpu/kernel.ts';
export { PARAMS_STRIDE, paramsBytes } from '../../src/webgpu/params.ts';
export { PickStep } from '../../src/webgpu/pick-step.ts';
export { SPLIT } from '../../src/webgpu/plm-engine.ts';
export { groupRows, projectKernel } from '../../src/webgpu/shaders.ts';
