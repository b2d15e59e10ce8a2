/** Seconds over which a rate is averaged. */
const WINDOW = 4;

/** How fast bytes come now, and when the rest will be there. */
export class TransferRate {
  readonly #samples: { readonly time: number; readonly bytes: number }[] = [];

  /** Bytes at a time in seconds. */
  add(time: number, bytes: number): void {
    const last = this.#samples.at(-1);
    if (last !== undefined && time - last.time < 0.1) return;
    this.#samples.push({ time, bytes });
    while (this.#samples.length > 2 && time - this.#samples[0]!.time > WINDOW) this.#samples.shift();
  }

  /** Bytes per second; undefined while it is too early to estimate. */
  get bytesPerSecond(): number | undefined {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (first === undefined || last === undefined || last.time - first.time < 0.5) return undefined;
    return Math.max(0, last.bytes - first.bytes) / (last.time - first.time);
  }
}
