import { PressError } from '../../core/errors.ts';

/** Faults of a device that no call throws: kernels and commands that it refuses, and its loss. */
export class DeviceFaults {
  #first: GPUError | undefined;
  readonly #loss: Promise<never>;

  constructor(device: GPUDevice) {
    device.onuncapturederror = (event) => {
      this.#first ??= event.error;
      // Dawn would print it.
      event.preventDefault();
    };
    this.#loss = device.lost.then(({ message }) => {
      throw new PressError('local-io', {
        what: `the GPU was lost: ${message}`,
        expected: 'another try, or the device cpu',
      });
    });
    // Devices are lost in the end as well.
    this.#loss.catch(() => undefined);
  }

  /** What `work` gives, unless the device is lost or refuses something meanwhile. */
  async watch<T>(work: Promise<T>): Promise<T> {
    const result = await Promise.race([work, this.#loss]);
    if (this.#first !== undefined) throw new Error(`the GPU fails: ${this.#first.message}`);
    return result;
  }
}
