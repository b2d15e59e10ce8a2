import { checkTokenizerSpec } from '../../core/tokenizer/tokenizer-check.ts';
import { Tokenizer } from '../../tokenizer/tokenizer.ts';
import { BundleError } from '../bundle-error.ts';
import type { CreateEngine } from '../engine.ts';
import type { BundleFile, BundleTokenizer } from '../manifest.ts';
import { Model } from '../model.ts';
import { BundleFiles, type BundleFilesOptions } from './bundle-files.ts';
import { EngineKeeper } from './engine-keeper.ts';

export interface LoadProgress {
  /** The manifest, then vocabulary and weights, while kernels are compiled. */
  readonly phase: 'manifest' | 'weights' | 'ready';
  /** Bytes that are there, from the network or the cache, of all. */
  readonly loaded: number;
  readonly total: number;
  /** The file that has just grown. */
  readonly file?: string;
}

export interface LoadOptions extends BundleFilesOptions {
  readonly onProgress?: (progress: LoadProgress) => void;
  /** Positions of the context, at most. Default: as many as the model knows. */
  readonly contextLength?: number;
  /**
   * Left out: a device with what the bundle asks for. One that is given stays when the model is disposed of.
   */
  readonly device?: GPUDevice;
}

/**
 * Loads the bundle at `url`: its folder or manifest, relative to the page. Throws `BundleError` in words for
 * people, or the reason of `signal`; then nothing of it is left on the GPU.
 */
export async function loadModel(
  url: string | URL,
  createEngine: CreateEngine,
  options: LoadOptions = {},
): Promise<Model> {
  const { signal, device } = options;
  options.onProgress?.({ phase: 'manifest', loaded: 0, total: 0, file: 'manifest.json' });
  const files = await BundleFiles.open(url, options);
  const { manifest } = files;
  const contextLength = chooseContext(options.contextLength, manifest.model.max_position_embeddings);
  const progress = new Progress([manifest.tokenizer, ...manifest.shards], options.onProgress);
  const onBytes = (file: string, bytes: number) => progress.grown(file, bytes);
  if (options.cache !== false) void globalThis.navigator?.storage?.persist?.().catch(() => {});

  const failed = new AbortController();
  const either = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal;
  const keeper = new EngineKeeper(files, createEngine, { contextLength, onBytes });
  const vocabulary = readTokenizer(files, either, onBytes);
  vocabulary.catch((error) => failed.abort(error));
  try {
    await keeper.open(device, either);
    const model = new Model(keeper, await vocabulary, contextLength);
    signal?.throwIfAborted();
    progress.ready();
    return model;
  } catch (error) {
    failed.abort(error);
    keeper.dispose();
    throw error;
  }
}

/** A model never has more positions than it knows. */
function chooseContext(asked: number | undefined, most: number): number {
  if (asked === undefined) return most;
  if (Number.isInteger(asked) && asked >= 1) return Math.min(asked, most);
  throw new BundleError('usage', `a context of ${asked} tokens: expected an integer of at least 1`);
}

async function readTokenizer(
  files: BundleFiles,
  signal: AbortSignal,
  onBytes: (file: string, bytes: number) => void,
): Promise<Tokenizer> {
  const { tokenizer } = files.manifest;
  const { file } = tokenizer;
  const bytes = await files.read(tokenizer, { signal, onBytes: (count) => onBytes(file, count) });
  try {
    const spec: BundleTokenizer = JSON.parse(new TextDecoder().decode(bytes));
    checkTokenizerSpec(spec, { file, tokens: 'tokens', merges: 'merges' });
    return new Tokenizer(spec);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new BundleError('invalid-bundle', `${file}: is not a tokenizer: ${message}`, { cause: error });
  }
}

/** Adds up what is there of each file. */
class Progress {
  readonly #tell: LoadOptions['onProgress'];
  readonly #total: number;
  readonly #bytes = new Map<string, number>();

  constructor(files: readonly BundleFile[], tell: LoadOptions['onProgress']) {
    this.#tell = tell;
    this.#total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  grown(file: string, bytes: number): void {
    this.#bytes.set(file, bytes);
    const loaded = [...this.#bytes.values()].reduce((sum, count) => sum + count, 0);
    this.#tell?.({ phase: 'weights', loaded, total: this.#total, file });
  }

  ready(): void {
    this.#tell?.({ phase: 'ready', loaded: this.#total, total: this.#total });
  }
}
