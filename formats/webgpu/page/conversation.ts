import { button, byId, element } from './elements.ts';

/** How close to its end, in pixels, a conversation is taken for read to the end. */
const NEAR = 60;

/** An answer as it comes. */
export interface Answer {
  readonly text: string;
  add(text: string): void;
  /** Ends it with a remark, and a way to have it again where it failed. */
  end(remark: string, onRetry?: () => void): void;
}

/** The list of what was said. It follows its end as long as the reader is there. */
export class Conversation {
  readonly #scroller = byId('scroller', HTMLElement);
  readonly #log = byId('log', HTMLElement);
  readonly #welcome = byId('welcome', HTMLElement);

  clear(): void {
    this.#log.replaceChildren();
    this.#welcome.hidden = false;
  }

  question(text: string): void {
    this.#welcome.hidden = true;
    this.#append('user', 'You', element('p', 'text', text));
  }

  /** An answer of `name`; what continues a text stands behind it. */
  answer(name: string, continued = ''): Answer {
    this.#welcome.hidden = true;
    const words = document.createTextNode('');
    const text = element('p', 'text', element('span', 'prompt', continued), words);
    const entry = this.#append('model busy', name, text);
    return {
      get text() {
        return words.data;
      },
      add: (more) => this.#following(() => words.appendData(more)),
      end: (remark, onRetry) => {
        entry.classList.remove('busy');
        const foot = element('div', 'foot');
        if (words.data !== '') foot.append(copyButton(continued + words.data));
        if (onRetry !== undefined) {
          const retry = button('Try again', () => {
            entry.remove();
            onRetry();
          });
          foot.append(retry);
        }
        foot.append(element('span', onRetry === undefined ? '' : 'wrong', remark));
        this.#following(() => entry.append(foot));
      },
    };
  }

  #append(className: string, name: string, text: HTMLElement): HTMLElement {
    const heading = element('h3', className === 'user' ? 'unseen' : '', name);
    const entry = element('li', `entry ${className}`, heading, text);
    this.#log.append(entry);
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    return entry;
  }

  #following(change: () => void): void {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    const atEnd = scrollHeight - scrollTop - clientHeight < NEAR;
    change();
    if (atEnd) this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }
}

function copyButton(text: string): HTMLButtonElement {
  const made = button('Copy', async () => {
    try {
      await navigator.clipboard.writeText(text);
      made.textContent = 'Copied';
    } catch {
      made.textContent = 'The browser forbids it';
    }
    setTimeout(() => {
      made.textContent = 'Copy';
    }, 2000);
  });
  return made;
}
