import { PressError, unsupported } from '../../core/errors.ts';

/** Not among the dependencies: 130 MB that only who computes on a GPU needs. */
const PACKAGE = 'webgpu';

/** What kernels use where it is there. */
const OPTIONAL_FEATURES = ['subgroups'] as const;

/** What of a device is larger than WebGPU's defaults promise, and of use. */
const LIMITS = ['maxBufferSize', 'maxStorageBufferBindingSize'] as const;

/** Devices do not keep it, and what waits for a GPU aborts the process once it has been collected. */
let dawn: GPU | undefined;

/**
 * A GPU through Dawn, the WebGPU of Chromium.
 * @throws PressError unsupported where the package is not installed or finds no adapter.
 */
export async function openDevice(): Promise<GPUDevice> {
  dawn ??= (await load()).create([]);
  const adapter = await dawn.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter === null) {
    throw unsupported({
      what: 'no GPU: Dawn finds no adapter',
      expected: 'a driver of Vulkan, Metal or Direct3D 12',
    });
  }
  return adapter.requestDevice({
    requiredFeatures: OPTIONAL_FEATURES.filter((feature) => adapter.features.has(feature)),
    requiredLimits: Object.fromEntries(LIMITS.map((limit) => [limit, adapter.limits[limit]])),
  });
}

async function load(): Promise<typeof import('webgpu')> {
  try {
    return await import(PACKAGE);
  } catch (cause) {
    const expected = `the package ${PACKAGE} beside plmpress, as \`npm install ${PACKAGE}\` puts it`;
    throw new PressError('unsupported', { what: 'WebGPU is not installed', expected }, { cause });
  }
}
