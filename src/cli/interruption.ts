const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

type InterruptSignal = keyof typeof EXIT_CODES;

/** Why work was aborted: someone pressed Ctrl-C or asked the process to end. */
export class Interrupted extends Error {
  readonly exitCode: number;

  constructor(signal: InterruptSignal) {
    super(`interrupted by ${signal}`);
    this.name = 'Interrupted';
    this.exitCode = EXIT_CODES[signal];
  }
}

export interface Interruption {
  /** Aborted with an `Interrupted` by the first signal. */
  readonly signal: AbortSignal;
  /** Gives the signals back to their default. */
  dispose(): void;
}

/** Listens for SIGINT and SIGTERM. The first lets work clean up, the second ends the process at once. */
export function listenForInterruption(): Interruption {
  const controller = new AbortController();
  const onSignal = (signal: NodeJS.Signals) => {
    const name = signal as InterruptSignal;
    if (controller.signal.aborted) process.exit(EXIT_CODES[name]);
    controller.abort(new Interrupted(name));
  };
  const names = Object.keys(EXIT_CODES) as InterruptSignal[];
  for (const name of names) process.on(name, onSignal);
  return {
    signal: controller.signal,
    dispose() {
      for (const name of names) process.off(name, onSignal);
    },
  };
}
