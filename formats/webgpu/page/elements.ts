/** The element of index.html with this id. */
export function byId<T extends Element>(id: string, kind: abstract new () => T): T {
  const found = document.getElementById(id) as Element | null;
  if (!(found instanceof kind)) throw new Error(`the page has no #${id}`);
  return found;
}

/** A new element. Texts are texts, never markup. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className: string,
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...children);
  return made;
}

export function button(text: string, onClick: () => void): HTMLButtonElement {
  const made = element('button', 'quiet', text);
  made.type = 'button';
  made.addEventListener('click', onClick);
  return made;
}
