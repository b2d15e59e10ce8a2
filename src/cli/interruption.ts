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

/**
 * Listens for SIGINT and SIGTERM. The first lets work clean up, the second ends the process at once. That is
 * the default of the system, which needs no turn of a thread that may be busy: the first signal gives both
 * back to it.
 */
export function listenForInterruption(): Interruption {
  const controller = new AbortController();
  const names = Object.keys(EXIT_CODES) as InterruptSignal[];
  const onSignal = (signal: NodeJS.Signals) => {
    dispose();
    controller.abort(new Interrupted(signal as InterruptSignal));
  };
  const dispose = () => {
    for (const name of names) process.off(name, onSignal);
  };
  for (const name of names) process.on(name, onSignal);
  return { signal: controller.signal, dispose };
}
