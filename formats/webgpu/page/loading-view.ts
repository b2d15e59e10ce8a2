import { byId } from './elements.ts';
import { formatBytes, formatSeconds } from './format.ts';
import type { LoadProgress } from './runtime.js';
import { TransferRate } from './transfer-rate.ts';

/** Tells how far loading is. */
export class LoadingView {
  readonly #section = byId('loading', HTMLElement);
  readonly #bar = byId('bar', HTMLElement);
  readonly #fill = byId('bar-fill', HTMLElement);
  readonly #size = byId('loading-size', HTMLElement);
  readonly #rateText = byId('loading-rate', HTMLElement);
  #rate = new TransferRate();

  constructor(onStop: () => void) {
    byId('loading-stop', HTMLButtonElement).addEventListener('click', onStop);
  }

  show(): void {
    this.#rate = new TransferRate();
    this.#section.hidden = false;
    this.#tell(0, 'Reading the manifest', '');
  }

  hide(): void {
    this.#section.hidden = true;
  }

  progress({ phase, loaded, total }: LoadProgress): void {
    if (phase !== 'weights') return;
    this.#rate.add(performance.now() / 1000, loaded);
    const size = `${formatBytes(loaded)} of ${formatBytes(total)}`;
    this.#tell(loaded / total, size, loaded === total ? 'preparing the GPU' : this.#speed(total - loaded));
  }

  checking(): void {
    this.#tell(1, 'Checking that this device computes it as it should', '');
  }

  #speed(left: number): string {
    const rate = this.#rate.bytesPerSecond;
    if (rate === undefined) return '';
    if (rate === 0) return 'waiting for the network';
    return `${formatBytes(rate)}/s, ${formatSeconds(left / rate)} left`;
  }

  #tell(share: number, size: string, rate: string): void {
    this.#fill.style.width = `${100 * share}%`;
    this.#bar.setAttribute('aria-valuenow', String(Math.floor(100 * share)));
    this.#bar.setAttribute('aria-valuetext', size);
    this.#size.textContent = size;
    this.#rateText.textContent = rate;
  }
}
