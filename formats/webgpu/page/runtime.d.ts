/** The runtime.js beside the page in a bundle. */
export * from '../../../src/webgpu/runtime.ts';
