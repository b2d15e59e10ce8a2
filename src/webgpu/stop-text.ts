/** Ends a stream of text where one of some texts begins, and holds back what may be the beginning of one. */
export class StopText {
  readonly #stops: readonly string[];
  #held = '';
  /** Whether one has come. */
  stopped = false;

  constructor(stops: readonly string[]) {
    this.#stops = stops.filter((stop) => stop !== '');
  }

  /** Text that can be shown now. */
  push(text: string): string {
    const all = this.#held + text;
    const at = Math.min(...this.#stops.map((stop) => all.indexOf(stop)).filter((index) => index >= 0));
    this.stopped = Number.isFinite(at);
    const shown = this.stopped ? at : all.length - this.#beginning(all);
    this.#held = this.stopped ? '' : all.slice(shown);
    return all.slice(0, shown);
  }

  /** What was held back for a stop that did not come. */
  end(): string {
    return this.#held;
  }

  /** Length of the longest end of `text` that some stop begins with. */
  #beginning(text: string): number {
    for (
      let length = Math.min(text.length, Math.max(0, ...this.#stops.map((stop) => stop.length - 1)));
      length > 0;
      length--
    ) {
      const end = text.slice(-length);
      if (this.#stops.some((stop) => stop.startsWith(end))) return length;
    }
    return 0;
  }
}
