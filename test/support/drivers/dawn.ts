import os from 'node:os';
import type { TestContext } from 'node:test';
import { create, globals } from 'webgpu';
import { NO_WORKGROUP_ZEROS } from '../fakes/workgroup-zeros.ts';
import { NO_GPU, SWIFTSHADER } from '../oracles/onnxruntime.ts';

/** Why Dawn has no GPU here; false where it has. */
export const NO_DAWN: string | false = NO_GPU !== false && NO_GPU.replace('onnxruntime has', 'Dawn has');

const ADAPTER = (globals as { readonly GPUAdapter: { readonly prototype: GPUAdapter } }).GPUAdapter.prototype;

/** Devices do not keep it, and what waits for a GPU aborts the process once it has been collected. */
let dawn: GPU | undefined;

/**
 * A device of Dawn that computes in software. It goes when the test ends. All of a process have the same
 * flags.
 */
export async function openDawn(
  t: Pick<TestContext, 'after'>,
  requiredFeatures: GPUFeatureName[] = [],
  flags = [NO_WORKGROUP_ZEROS],
): Promise<GPUDevice> {
  const adapter = await openAdapter(flags);
  const device = await adapter.requestDevice({ requiredFeatures });
  t.after(() => device.destroy());
  return device;
}

async function openAdapter(flags: string[]): Promise<GPUAdapter> {
  useSoftwareGpu();
  dawn ??= create(flags);
  const adapter = await dawn.requestAdapter();
  if (adapter === null) throw new Error('Dawn finds no adapter');
  return adapter;
}

/** Makes the GPU in software the only one that this process finds. */
export function useSoftwareGpu(): void {
  // The Vulkan loader reads them when an adapter is asked for.
  process.env.VK_ICD_FILENAMES = SWIFTSHADER;
  process.env.XDG_RUNTIME_DIR ??= os.tmpdir();
}

/**
 * From now on all adapters give one device, which nobody destroys: what it has compiled it keeps. Workgroup
 * memory does not begin with zeros there.
 */
export function shareDevice(): void {
  let shared: Promise<GPUDevice> | undefined;
  const { requestDevice } = ADAPTER;
  ADAPTER.requestDevice = async (wanted) => {
    shared ??= openAdapter([NO_WORKGROUP_ZEROS]).then((adapter) => requestDevice.call(adapter, wanted));
    return withMembers(await shared, { destroy() {} });
  };
}

/** Until the test ends, adapters give `change` of the devices that they would give. */
export function changeDevices(t: TestContext, change: (device: GPUDevice) => GPUDevice): void {
  const { requestDevice } = ADAPTER;
  t.mock.method(ADAPTER, 'requestDevice', async function (this: GPUAdapter, wanted: GPUDeviceDescriptor) {
    return change(await requestDevice.call(this, wanted));
  });
}

/** The same device, some of whose members are others. */
export function withMembers(device: GPUDevice, members: Readonly<Partial<GPUDevice>>): GPUDevice {
  return new Proxy(device, {
    get(target, name) {
      const value = Reflect.get(name in members ? members : target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
    set: (target, name, value) => Reflect.set(target, name, value, target),
  });
}

/** The same device, which claims lower limits than it has. */
export function withLimits(device: GPUDevice, limits: Readonly<Record<string, number>>): GPUDevice {
  return withMembers(device, { limits: { ...device.limits, ...limits } });
}
