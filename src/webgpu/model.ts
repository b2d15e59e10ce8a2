import { StreamDecoder } from '../tokenizer/stream-decoder.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { BundleError } from './bundle-error.ts';
import { ChatEncoder, type ChatMessage } from './chat-form.ts';
import type { Engine, EngineStats, Sampling } from './engine.ts';
import type { StorageStats } from './load/bundle-files.ts';
import type { EngineKeeper } from './load/engine-keeper.ts';
import type { BundleManifest } from './manifest.ts';
import { runSelfTest, type SelfTestResult } from './self-test.ts';
import { StopText } from './stop-text.ts';

/** Choices that are left out are those of the bundle. */
export interface GenerateOptions extends Omit<Sampling, 'tokens'> {
  /** Most tokens to generate. Default: as many as the context has room for. */
  readonly maxTokens?: number;
  /** Texts that end the answer; they are not part of it. Stop tokens of the bundle always end it. */
  readonly stop?: readonly string[];
  /** Its reason is thrown by the iterator. What was generated before is kept in the cache. */
  readonly signal?: AbortSignal | undefined;
}

/** The result of one wait for the GPU. */
export interface Piece {
  /** Whole characters: empty inside one. Without special tokens. */
  readonly text: string;
  readonly ids: readonly number[];
}

/** Why a text ended: a stop token or text, `maxTokens`, or no position left in the context. */
export type EndReason = 'stop' | 'length' | 'context';

export interface ModelStats extends EngineStats {
  readonly contextLength: number;
  /** Positions of the context in use. */
  readonly position: number;
  readonly storage: StorageStats;
  /** Devices lost so far. */
  readonly losses: number;
  /** The browser's description of the graphics processor. */
  readonly adapter: { readonly vendor: string; readonly architecture: string; readonly description: string };
}

/** Most tokens to a wait: more make text come in lumps. */
const MOST_TOKENS = 16;
/** Milliseconds of a wait below which the next one asks for twice the tokens, and above which for half. */
const [SHORT_WAIT, LONG_WAIT] = [50, 200];

/** A loaded bundle. Calls may overlap: each waits for those before it. */
export class Model {
  readonly manifest: BundleManifest;
  readonly tokenizer: Tokenizer;
  /** Positions that prompt and answer share. */
  readonly contextLength: number;
  readonly #keeper: EngineKeeper;
  readonly #chat: ChatEncoder | undefined;
  /** Tokens that the cache of the engine holds from its front on; it may hold others behind them. */
  #held: readonly number[] = [];
  #engine: Engine | undefined;

  constructor(keeper: EngineKeeper, tokenizer: Tokenizer, contextLength: number) {
    const { manifest } = keeper.files;
    this.manifest = manifest;
    this.tokenizer = tokenizer;
    this.contextLength = contextLength;
    this.#keeper = keeper;
    this.#chat = manifest.chat && new ChatEncoder(manifest.chat, tokenizer);
  }

  /**
   * Called with the browser's words when the device was lost, before the next call loads the weights again.
   */
  set onDeviceLost(hook: ((reason: string) => void) | undefined) {
    this.#keeper.onDeviceLost = hook;
  }

  /** Ids of a text. The text of special tokens in it stays text. */
  tokenize(text: string): number[] {
    return this.tokenizer.encode(text);
  }

  /** Text of ids, without special tokens. */
  detokenize(ids: Iterable<number>): string {
    return this.tokenizer.decode(ids, { skipSpecial: true });
  }

  /**
   * Continues a text, or answers a conversation in the chat form of the bundle. What the cache holds of the
   * same beginning is not computed again. Throws `BundleError` `usage` for no tokens, more than the context
   * holds, and conversations where the bundle has no chat form.
   */
  async *generate(
    prompt: string | readonly ChatMessage[],
    options: GenerateOptions = {},
  ): AsyncGenerator<Piece, EndReason> {
    const { maxTokens = Number.POSITIVE_INFINITY, stop = [], signal } = options;
    const sampling = this.#sampling(options);
    const stopIds = new Set(this.manifest.generation.stop_token_ids);
    const sequence = this.#encode(prompt);
    this.#checkLength(sequence);
    const decoder = new StreamDecoder(this.tokenizer, { skipSpecial: true });
    const stopText = new StopText(stop);
    let [generated, count] = [0, 1];
    let end: EndReason | undefined;
    while (end === undefined) {
      signal?.throwIfAborted();
      // The last token of a wait is not appended, so it needs no position.
      const room = this.contextLength - sequence.length + 1;
      if (generated >= maxTokens) end = 'length';
      else if (room < 1) end = 'context';
      if (end !== undefined) break;
      count = Math.min(count, maxTokens - generated, room);
      const start = performance.now();
      const picked = await unlessAborted(this.#append([...sequence], count, sampling), signal);
      const wait = performance.now() - start;
      const ids: number[] = [];
      let text = '';
      for (const id of picked) {
        if (stopIds.has(id)) end = 'stop';
        else {
          ids.push(id);
          text += stopText.push(decoder.push(id));
          if (stopText.stopped) end = 'stop';
        }
        if (end !== undefined) break;
      }
      sequence.push(...ids);
      generated += ids.length;
      if (end === 'stop') await this.#forget(sequence.length);
      yield { text, ids };
      if (wait < SHORT_WAIT) count = Math.min(2 * count, MOST_TOKENS);
      else if (wait > LONG_WAIT) count = Math.max(1, count >> 1);
    }
    if (!stopText.stopped) {
      const text = stopText.push(decoder.end()) + stopText.end();
      if (text !== '') yield { text, ids: [] };
    }
    return end;
  }

  /** Logits after each of `ids`, one array per position, of the size of the vocabulary. */
  async logits(ids: readonly number[]): Promise<Float32Array[]> {
    this.#checkLength(ids);
    return this.#keeper.use(async (engine) => {
      this.#align(engine, 0);
      const rows: Float32Array[] = [];
      for await (const row of engine.logits(ids)) rows.push(row.slice());
      this.#held = [...ids];
      return rows;
    });
  }

  async stats(): Promise<ModelStats> {
    return this.#keeper.use(async (engine) => {
      const { vendor = '', architecture = '', description = '' } = this.#keeper.device?.adapterInfo ?? {};
      return {
        ...(await engine.stats()),
        contextLength: engine.contextLength,
        position: engine.position,
        storage: this.#keeper.files.storage,
        losses: this.#keeper.losses,
        adapter: { vendor, architecture, description },
      };
    });
  }

  /**
   * Computes the bundle's own example. Throws `BundleError` `wrong-results` where this device gets it wrong.
   */
  async selfTest(): Promise<SelfTestResult> {
    return runSelfTest(this.manifest.selfTest, (ids) => this.logits(ids));
  }

  /** Gives up the GPU's memory. Calls after it fail. */
  dispose(): void {
    this.#keeper.dispose();
  }

  #encode(prompt: string | readonly ChatMessage[]): number[] {
    if (typeof prompt === 'string') return this.tokenize(prompt);
    if (this.#chat !== undefined) return this.#chat.encode(prompt);
    throw new BundleError('usage', 'this bundle has no chat format: give a text to continue');
  }

  #checkLength(ids: readonly number[]): void {
    if (ids.length === 0) throw new BundleError('usage', 'the prompt has no tokens');
    if (ids.length <= this.contextLength) return;
    const sizes = `${ids.length} tokens, the context has ${this.contextLength}`;
    throw new BundleError('usage', `the text is too long: ${sizes}`);
  }

  #sampling(options: GenerateOptions): Required<Sampling> {
    const { temperature, top_k, top_p, min_p, repetition_penalty } = this.manifest.generation;
    return {
      temperature: options.temperature ?? temperature ?? 0,
      topK: options.topK ?? top_k ?? 0,
      topP: options.topP ?? top_p ?? 1,
      minP: options.minP ?? min_p ?? 0,
      repetitionPenalty: options.repetitionPenalty ?? repetition_penalty ?? 1,
      seed: options.seed ?? 0,
      tokens: Math.min(this.tokenizer.spec.tokens.length, this.manifest.model.vocab_size),
    };
  }

  /** Brings the cache to hold `sequence`, and picks `count` tokens behind it. */
  #append(sequence: readonly number[], count: number, sampling: Sampling): Promise<Uint32Array> {
    return this.#keeper.use(async (engine) => {
      // The last token is fed in any case: its logits are what is asked for.
      const shared = Math.min(commonLength(this.#heldBy(engine), sequence), sequence.length - 1);
      this.#align(engine, shared);
      const picked = await engine.generate(sequence.slice(shared), count, sampling);
      this.#held = [...sequence, ...picked.subarray(0, -1)];
      return picked;
    });
  }

  /** Forgets what stands behind the answer: tokens after a stop. */
  #forget(length: number): Promise<void> {
    return this.#keeper.use(async (engine) => {
      this.#align(engine, Math.min(length, this.#heldBy(engine).length));
    });
  }

  /** An engine that was loaded anew holds nothing. */
  #heldBy(engine: Engine): readonly number[] {
    if (engine !== this.#engine) this.#held = [];
    this.#engine = engine;
    return this.#held;
  }

  /** Keeps the first `length` tokens of the cache. */
  #align(engine: Engine, length: number): void {
    this.#held = this.#heldBy(engine).slice(0, length);
    if (engine.position > length) engine.truncate(length);
  }
}

function commonLength(a: readonly number[], b: readonly number[]): number {
  const differs = a.findIndex((id, i) => id !== b[i]);
  return differs < 0 ? a.length : differs;
}

/** Settles as `work`, or at once when it is given up: the work itself goes on. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
