import { byId } from './elements.ts';
import { BundleError } from './runtime.js';

/** What failed, and what one can do. */
const WORDS: Readonly<Record<string, readonly [title: string, advice: string]>> = {
  unsupported: [
    'This device cannot run the model',
    'It takes WebGPU: a current Chrome, Edge, Safari or Firefox on a machine with a graphics processor, and a page on https.',
  ],
  network: [
    'The model could not be fetched',
    'What has come so far is kept where the browser allows it. Is there a connection?',
  ],
  'invalid-bundle': [
    'The files of the model are damaged',
    'They are not what their publisher described, so they are not used.',
  ],
  'out-of-memory': [
    'The graphics processor has too little memory',
    'Other pages that use it may be closed. Trying again takes a smaller context.',
  ],
  'wrong-results': [
    'This device does not compute the model correctly',
    'Its answers would be nonsense. Another browser or a newer graphics driver may help.',
  ],
};

const STOPPED = ['Loading was stopped', 'What has come so far is kept where the browser allows it.'] as const;
const UNKNOWN = ['Something went wrong', 'This should not have happened.'] as const;

/** Explains why there is no chat. */
export class FailureView {
  readonly #section = byId('failure', HTMLElement);
  readonly #title = byId('failure-title', HTMLElement);
  readonly #advice = byId('failure-advice', HTMLElement);
  readonly #message = byId('failure-message', HTMLElement);

  #error: unknown;

  /** `onRetry` takes what has failed. */
  constructor(onRetry: (error: unknown) => void) {
    byId('retry', HTMLButtonElement).addEventListener('click', () => onRetry(this.#error));
  }

  show(error: unknown): void {
    this.#error = error;
    const stopped = error instanceof DOMException && error.name === 'AbortError';
    const [title, advice] = stopped
      ? STOPPED
      : (error instanceof BundleError && WORDS[error.code]) || UNKNOWN;
    this.#title.textContent = title;
    this.#advice.textContent = advice;
    this.#message.textContent = messageOf(error);
    this.#message.hidden = stopped;
    this.#section.hidden = false;
    this.#title.focus();
  }

  hide(): void {
    this.#section.hidden = true;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
