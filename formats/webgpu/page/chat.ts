import { Conversation } from './conversation.ts';
import { button, byId } from './elements.ts';
import { messageOf } from './failure-view.ts';
import { formatBytes } from './format.ts';
import { Measurements } from './measurements.ts';
import type { ChatMessage, EndReason, LoadProgress, Model } from './runtime.js';
import type { Settings } from './settings.ts';
import { Speech } from './speech.ts';

const SUGGESTIONS = [
  'What can you help me with?',
  'Explain why the sky is blue.',
  'Write a short story about a printing press.',
];
const BEGINNINGS = ['Once upon a time', 'The sky is blue because', 'Call me'];

/** Where a finger is all there is, focus brings up keys over half of the page. */
const HAS_KEYBOARD = matchMedia('(pointer: fine)');

const REMARKS: Readonly<Record<EndReason, string>> = {
  stop: '',
  length: 'ended by max tokens',
  context: 'the context is full: begin a new chat',
};

/** A question and its answer at a time. */
export class Chat {
  readonly #section = byId('chat', HTMLElement);
  readonly #form = byId('ask', HTMLFormElement);
  readonly #question = byId('question', HTMLTextAreaElement);
  readonly #send = byId('send', HTMLButtonElement);
  readonly #stop = byId('stop', HTMLButtonElement);
  readonly #newChat = byId('new-chat', HTMLButtonElement);
  readonly #notice = byId('notice', HTMLElement);
  readonly #conversation = new Conversation();
  readonly #measurements = new Measurements();
  readonly #speech = new Speech();
  readonly #settings: Settings;
  #model: Model | undefined;
  #messages: ChatMessage[] = [];
  #answering: AbortController | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#ask(this.#question.value);
    });
    this.#question.addEventListener('input', () => this.#showState());
    this.#question.addEventListener('keydown', (event) => {
      // A finger on glass has no shift key for line breaks.
      const sends = event.key === 'Enter' && !event.shiftKey && !event.isComposing && HAS_KEYBOARD.matches;
      if (!sends) return;
      event.preventDefault();
      this.#form.requestSubmit();
    });
    this.#stop.addEventListener('click', () => this.stop());
    this.#newChat.addEventListener('click', () => this.#clear());
  }

  /** What was said goes on with a model that was loaded again for another context. */
  start(model: Model): void {
    this.#model = model;
    model.onDeviceLost = () => this.tell('The graphics processor was lost. The model is loaded again.');
    const { name, chat } = model.manifest;
    const chats = chat !== undefined;
    byId('welcome-title', HTMLElement).textContent = chats ? `Ask ${name}` : `${name} continues your text`;
    byId('welcome-text', HTMLElement).textContent =
      'It runs on this device alone: nothing that you type is sent anywhere. Small models err; check what matters.';
    byId('question-label', HTMLElement).textContent = chats ? 'Your message' : 'Text to continue';
    this.#question.placeholder = chats ? 'Your message' : 'Text to continue';
    const suggestions = (chats ? SUGGESTIONS : BEGINNINGS).map((text) => {
      const item = document.createElement('li');
      item.append(button(text, () => void this.#ask(text)));
      return item;
    });
    byId('suggestions', HTMLElement).replaceChildren(...suggestions);
    this.#newChat.textContent = chats ? 'New chat' : 'Clear';
    this.#newChat.hidden = false;
    this.#section.hidden = false;
    this.tell('');
    this.#showState();
    this.#focus();
    void this.#measurements.update(model, true).catch(() => {});
  }

  hide(): void {
    this.stop();
    this.#section.hidden = true;
    this.#newChat.hidden = true;
  }

  stop(): void {
    this.#answering?.abort();
  }

  /** A line above the question. */
  tell(text: string): void {
    this.#notice.textContent = text;
  }

  /** Weights that are loaded again after a loss. */
  progress({ loaded, total }: LoadProgress): void {
    if (this.#model === undefined || this.#section.hidden || total === 0) return;
    this.tell(
      `The graphics processor was lost. Loading again: ${formatBytes(loaded)} of ${formatBytes(total)}`,
    );
  }

  #clear(): void {
    this.stop();
    this.#messages = [];
    this.#conversation.clear();
    this.#focus();
  }

  async #ask(question: string): Promise<void> {
    const text = this.#model?.manifest.chat === undefined ? question : question.trim();
    if (text.trim() === '' || this.#answering !== undefined) return;
    this.#question.value = '';
    if (this.#model?.manifest.chat === undefined) return this.#answer(text);
    this.#messages.push({ role: 'user', content: text });
    this.#conversation.question(text);
    await this.#answer();
  }

  /** Answers the last message, or continues `text`. */
  async #answer(text?: string): Promise<void> {
    const model = this.#model!;
    const messages = this.#messages;
    const answering = new AbortController();
    this.#answering = answering;
    this.#showState();
    const answer = this.#conversation.answer(model.manifest.name, text);
    const start = performance.now();
    let [tokens, first] = [0, start];
    let remark = '';
    let failed = false;
    try {
      const options = { ...this.#settings.generation, signal: answering.signal };
      const pieces = model.generate(text ?? this.#withSystem(messages), options);
      for (;;) {
        const { value, done } = await pieces.next();
        if (done) {
          remark = REMARKS[value];
          break;
        }
        if (tokens === 0) {
          first = performance.now();
          this.tell('');
        }
        tokens += value.ids.length;
        answer.add(value.text);
        this.#speech.add(value.text);
        this.#measurements.speed(rateOf(tokens, first, start), (first - start) / 1000);
        await this.#measurements.update(model);
      }
    } catch (error) {
      failed = !answering.signal.aborted;
      remark = failed ? messageOf(error) : 'stopped';
    }
    const rate = rateOf(tokens, first, start);
    const counts =
      tokens === 0
        ? []
        : [
            tokens === 1 ? '1 token' : `${tokens.toLocaleString('en-US')} tokens`,
            `${rate.toFixed(1)} tokens/s`,
          ];
    answer.end(
      [...counts, remark].filter(Boolean).join(' · '),
      failed ? () => void this.#answer(text) : undefined,
    );
    this.#speech.end(failed ? `Failed: ${remark}` : remark);
    if (text === undefined && !failed) messages.push({ role: 'assistant', content: answer.text });
    this.#answering = undefined;
    this.#showState();
    if (document.activeElement === document.body || document.activeElement === this.#stop) this.#focus();
    await this.#measurements.update(model, true).catch(() => {});
  }

  #focus(): void {
    if (HAS_KEYBOARD.matches) this.#question.focus();
  }

  #withSystem(messages: readonly ChatMessage[]): readonly ChatMessage[] {
    const { system } = this.#settings;
    return system === '' ? messages : [{ role: 'system', content: system }, ...messages];
  }

  #showState(): void {
    const busy = this.#answering !== undefined;
    this.#send.hidden = busy;
    this.#stop.hidden = !busy;
    this.#send.disabled = this.#question.value.trim() === '';
    // As high as its text.
    this.#question.style.height = 'auto';
    this.#question.style.height = `${this.#question.scrollHeight}px`;
  }
}

/** Tokens per second after the first one, or with it if it is the only one. */
function rateOf(tokens: number, first: number, start: number): number {
  const now = performance.now();
  return tokens > 1
    ? (1000 * (tokens - 1)) / Math.max(1, now - first)
    : (1000 * tokens) / Math.max(1, now - start);
}
