/** As much of a device as loading looks at. */
export class FakeDevice {
  readonly features: ReadonlySet<string>;
  readonly limits: Readonly<Record<string, number>>;
  readonly adapterInfo = { vendor: 'none', architecture: 'fake', description: '' };
  readonly queue = { onSubmittedWorkDone: async () => {} };
  readonly lost: Promise<GPUDeviceLostInfo>;
  destroyed = false;
  readonly #lose: (info: GPUDeviceLostInfo) => void;

  constructor(features: readonly string[] = [], limits: Readonly<Record<string, number>> = {}) {
    this.features = new Set(features);
    this.limits = { maxBufferSize: 2 ** 28, maxStorageBufferBindingSize: 2 ** 27, ...limits };
    const { promise, resolve } = withResolvers<GPUDeviceLostInfo>();
    this.lost = promise;
    this.#lose = resolve;
  }

  /** For signatures that want all of a device. */
  get gpu(): GPUDevice {
    return this as unknown as GPUDevice;
  }

  lose(message = 'the driver went away'): void {
    this.#lose({ reason: 'unknown', message } as GPUDeviceLostInfo);
  }

  destroy(): void {
    this.destroyed = true;
    this.#lose({ reason: 'destroyed', message: '' } as GPUDeviceLostInfo);
  }
}

function withResolvers<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/** A `navigator.gpu` that gives devices, each of which is remembered. */
export function fakeGpu(make: () => FakeDevice = () => new FakeDevice()) {
  const devices: FakeDevice[] = [];
  const asked: GPUDeviceDescriptor[] = [];
  const gpu = {
    requestAdapter: async () => {
      const device = make();
      return {
        features: device.features,
        limits: device.limits,
        requestDevice: async (descriptor: GPUDeviceDescriptor) => {
          asked.push(descriptor);
          devices.push(device);
          return device;
        },
      };
    },
  };
  return { gpu, devices, asked };
}
