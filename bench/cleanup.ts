/** What helpers of tests hang their ends on, where there is no test. */
export class Cleanup {
  readonly #ends: (() => unknown)[] = [];

  after(end: () => unknown): void {
    this.#ends.push(end);
  }

  /** The last first. */
  async run(): Promise<void> {
    for (const end of this.#ends.reverse()) await end();
  }
}
