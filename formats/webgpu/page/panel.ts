import { byId } from './elements.ts';

/** Beside the chat where there is room; elsewhere over it, opened by a button. */
const WIDE = matchMedia('(width >= 60rem)');

/** Shows and hides the panel of settings and measurements. */
export class Panel {
  readonly #panel = byId('panel', HTMLElement);
  readonly #toggle = byId('panel-toggle', HTMLButtonElement);
  readonly #close = byId('panel-close', HTMLButtonElement);

  constructor() {
    this.#toggle.addEventListener('click', () => this.#show(this.#panel.hidden === true, true));
    this.#close.addEventListener('click', () => this.#show(false, true));
    this.#panel.addEventListener('keydown', ({ key }) => {
      if (key === 'Escape' && !WIDE.matches) this.#show(false, true);
    });
    WIDE.addEventListener('change', () => {
      if (!this.#toggle.hidden) this.#show(WIDE.matches, false);
    });
  }

  /** From now on there is something to show. */
  start(): void {
    this.#toggle.hidden = false;
    this.#show(WIDE.matches, false);
  }

  #show(shown: boolean, moveFocus: boolean): void {
    this.#panel.hidden = !shown;
    this.#toggle.setAttribute('aria-expanded', String(shown));
    document.body.classList.toggle('open-panel', shown);
    // What lies under the panel cannot be reached.
    byId('main', HTMLElement).inert = shown && !WIDE.matches;
    if (!moveFocus) return;
    if (!shown) this.#toggle.focus();
    else if (!WIDE.matches) this.#close.focus();
  }
}
