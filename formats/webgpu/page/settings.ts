import { byId } from './elements.ts';
import { formatBytes } from './format.ts';
import type { BundleManifest, GenerateOptions } from './runtime.js';

interface Choices {
  temperature: number;
  topP: number;
  maxTokens: number;
  system: string;
  /** 0: as many positions as the model knows. */
  context: number;
}

/** By page, so that bundles of one host do not share them. */
const KEY = `plmpress settings ${location.pathname}`;
/** The context of a model that knows more: its cache is part of the memory. */
const USUAL_CONTEXT = 4096;
const LEAST_CONTEXT = 256;

/** The form of settings, which are kept for the next visit. */
export class Settings {
  readonly #temperature = byId('temperature', HTMLInputElement);
  readonly #topP = byId('top-p', HTMLInputElement);
  readonly #maxTokens = byId('max-tokens', HTMLInputElement);
  readonly #context = byId('context', HTMLSelectElement);
  readonly #system = byId('system', HTMLTextAreaElement);
  readonly #kept = readKept();

  /** `onContext` is called when another context is chosen: the model has to be loaded again for it. */
  constructor(onContext: () => void) {
    const form = byId('settings', HTMLFormElement);
    form.addEventListener('submit', (event) => event.preventDefault());
    form.addEventListener('input', () => {
      this.#showValues();
      this.#keep();
    });
    this.#context.addEventListener('change', onContext);
  }

  /** What was chosen on a visit before, or undefined. */
  get contextLength(): number | undefined {
    return Number(this.#context.value) || this.#kept.context || undefined;
  }

  /** Halves the context, for a device that has too little memory. */
  shrink(): void {
    const context = Math.max(LEAST_CONTEXT, Math.floor((this.contextLength ?? USUAL_CONTEXT) / 2));
    this.#kept.context = context;
    this.#context.replaceChildren();
  }

  get system(): string {
    return this.#system.value.trim();
  }

  get generation(): GenerateOptions {
    return {
      temperature: Number(this.#temperature.value),
      topP: Number(this.#topP.value),
      maxTokens: Math.max(1, Math.floor(Number(this.#maxTokens.value)) || 1),
      seed: crypto.getRandomValues(new Uint32Array(1))[0]!,
    };
  }

  /** Shows what was kept, or what the bundle proposes. */
  fill({ generation, chat, memory, model }: BundleManifest, contextLength: number): void {
    const { temperature = 0, top_p = 1 } = generation;
    this.#temperature.value = String(this.#kept.temperature ?? temperature);
    this.#topP.value = String(this.#kept.topP ?? top_p);
    this.#maxTokens.value = String(this.#kept.maxTokens ?? Math.min(512, contextLength));
    this.#maxTokens.max = String(contextLength);
    this.#system.value = this.#kept.system ?? '';
    this.#system.placeholder = chat?.defaultSystem ?? 'None';
    byId('system-setting', HTMLElement).hidden = chat === undefined;

    const most = model.max_position_embeddings;
    const offered = new Set([
      ...memory.map(({ context }) => context),
      Math.min(most, USUAL_CONTEXT),
      contextLength,
    ]);
    const options = [...offered]
      .sort((a, b) => a - b)
      .map((context) => {
        const bytes = memory.find((entry) => entry.context === context)?.bytes;
        const label = `${context}${bytes === undefined ? '' : ` (${formatBytes(bytes)})`}`;
        return new Option(label, String(context), false, context === contextLength);
      });
    this.#context.replaceChildren(...options);
    this.#showValues();
  }

  #showValues(): void {
    const temperature = Number(this.#temperature.value);
    byId('temperature-value', HTMLOutputElement).value =
      temperature === 0 ? '0, always the likeliest' : String(temperature);
    byId('top-p-value', HTMLOutputElement).value = this.#topP.value;
  }

  #keep(): void {
    const { temperature, topP, maxTokens } = this.generation;
    const context = Number(this.#context.value);
    try {
      localStorage.setItem(
        KEY,
        JSON.stringify({ temperature, topP, maxTokens, context, system: this.#system.value }),
      );
    } catch {
      // Private windows may have no storage; then they hold for this visit.
    }
  }
}

function readKept(): Partial<Choices> {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? '{}');
    return typeof kept === 'object' && kept !== null ? kept : {};
  } catch {
    return {};
  }
}
