import { BundleError } from '../bundle-error.ts';
import type { CreateEngine, Engine, EngineOptions } from '../engine.ts';
import type { BundleFiles } from './bundle-files.ts';
import { checkDevice, requestDevice } from './device.ts';
import { type LoadEngineOptions, loadEngine } from './load-engine.ts';

/** Devices in a row that may be lost in one call, before it is the call that loses them. */
const LOSSES = 3;
/** An operation may fail some milliseconds before its device says why. */
const NOTICE = 100;

/** An engine on a device of its own, or one that was given. */
interface Seat {
  readonly engine: Engine;
  readonly device: GPUDevice;
  /** Whether the device goes with the engine. */
  readonly own: boolean;
  /** Set once the device is lost. */
  lost?: GPUDeviceLostInfo;
  readonly loss: Promise<GPUDeviceLostInfo>;
}

/**
 * Keeps an engine at hand: where its device is lost, loads the weights onto another and begins the call anew.
 */
export class EngineKeeper {
  readonly files: BundleFiles;
  /** Told why a device was lost, before the weights are loaded again. */
  onDeviceLost: ((reason: string) => void) | undefined;
  readonly #createEngine: CreateEngine;
  readonly #options: EngineOptions & Pick<LoadEngineOptions, 'onBytes'>;
  #seat: Seat | undefined;
  /** The call that goes on: an engine takes one at a time. */
  #turn: Promise<unknown> = Promise.resolve();
  #losses = 0;
  #disposed = false;

  constructor(
    files: BundleFiles,
    createEngine: CreateEngine,
    options: EngineOptions & Pick<LoadEngineOptions, 'onBytes'>,
  ) {
    this.files = files;
    this.#createEngine = createEngine;
    this.#options = options;
  }

  /** Devices lost so far. */
  get losses(): number {
    return this.#losses;
  }

  /** The device in use. */
  get device(): GPUDevice | undefined {
    return this.#seat?.device;
  }

  /**
   * Loads the weights onto `given`, or a device of its own. Throws `BundleError`, or the reason of an abort.
   */
  async open(given?: GPUDevice, signal?: AbortSignal): Promise<void> {
    if (given !== undefined) checkDevice(given, this.files.manifest);
    const device = given ?? (await requestDevice(this.files.manifest));
    const own = given === undefined;
    try {
      const options = { ...this.#options, signal };
      const engine = await loadEngine(this.files, device, this.#createEngine, options);
      const seat: Seat = { engine, device, own, loss: device.lost };
      void seat.loss.then((info) => {
        seat.lost = info;
      });
      this.#seat = seat;
    } catch (error) {
      if (own) device.destroy();
      throw error;
    }
    // Whoever disposed of the model meanwhile wants nothing to stay.
    if (this.#disposed) this.#release();
  }

  /**
   * Calls `work`, after the calls before it. It is called again with a fresh engine where the device is lost.
   */
  use<T>(work: (engine: Engine) => Promise<T>): Promise<T> {
    const result = this.#turn.then(() => this.#run(work));
    this.#turn = result.catch(() => {});
    return result;
  }

  dispose(): void {
    this.#disposed = true;
    this.#release();
  }

  async #run<T>(work: (engine: Engine) => Promise<T>): Promise<T> {
    for (let losses = 0; ; losses++) {
      const { engine, loss } = await this.#ready();
      const lost = loss.then(({ message }) => {
        throw new BundleError('unsupported', `the graphics processor was lost: ${message}`);
      });
      lost.catch(() => {});
      try {
        return await Promise.race([work(engine), lost]);
      } catch (error) {
        await Promise.race([loss, new Promise((resolve) => setTimeout(resolve, NOTICE))]);
        if (!this.#isLost() || losses === LOSSES) throw error;
      }
    }
  }

  async #ready(): Promise<Seat> {
    if (this.#isLost()) {
      const { lost } = this.#seat!;
      this.#losses++;
      this.#release();
      this.onDeviceLost?.(lost!.message);
    }
    if (!this.#disposed && this.#seat === undefined) await this.open();
    if (this.#seat === undefined) throw new BundleError('usage', 'the model was disposed of');
    return this.#seat;
  }

  /** Destroyed on purpose is not lost: then calls fail as they do. */
  #isLost(): boolean {
    const lost = this.#seat?.lost;
    return lost !== undefined && lost.reason !== 'destroyed';
  }

  #release(): void {
    const seat = this.#seat;
    this.#seat = undefined;
    seat?.engine.dispose();
    if (seat?.own) seat.device.destroy();
  }
}
