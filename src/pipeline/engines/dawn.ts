import { PressError, unsupported } from '../../core/errors.ts';

/** Not among the dependencies: 130 MB that only who computes on a GPU needs. */
export const DAWN_PACKAGE = 'webgpu';

/** Features that kernels use if the device has them. */
const OPTIONAL_FEATURES = ['subgroups'] as const;

/** Limits of the device that matter and may be above the defaults of WebGPU. */
const LIMITS = ['maxBufferSize', 'maxStorageBufferBindingSize'] as const;

/** Devices do not keep it, and what waits for a GPU aborts the process once it has been collected. */
let dawn: GPU | undefined;

/**
 * A GPU through Dawn, the WebGPU of Chromium.
 * @throws PressError unsupported where the package is not installed or finds no adapter.
 */
export async function openDevice(): Promise<GPUDevice> {
  const adapter = await openAdapter();
  return adapter.requestDevice({
    requiredFeatures: OPTIONAL_FEATURES.filter((feature) => adapter.features.has(feature)),
    requiredLimits: Object.fromEntries(LIMITS.map((limit) => [limit, adapter.limits[limit]])),
  });
}

/** The GPU before it is put to use. Throws as `openDevice` does. */
export async function openAdapter(): Promise<GPUAdapter> {
  dawn ??= (await load()).create([]);
  const adapter = await dawn.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter !== null) return adapter;
  throw unsupported({
    what: 'no GPU: Dawn finds no adapter',
    expected: 'a driver of Vulkan, Metal or Direct3D 12',
  });
}

async function load(): Promise<typeof import('webgpu')> {
  try {
    return await import(DAWN_PACKAGE);
  } catch (cause) {
    const expected = `the package ${DAWN_PACKAGE} beside plmpress: \`npm install ${DAWN_PACKAGE}\``;
    throw new PressError('unsupported', { what: 'WebGPU is not installed', expected }, { cause });
  }
}
