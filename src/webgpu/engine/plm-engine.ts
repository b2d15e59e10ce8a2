import { BundleError } from '../bundle-error.ts';
import type { Engine, EngineOptions, EngineStats, Sampling } from '../engine.ts';
import type { BundleManifest, BundleModel } from '../manifest.ts';
import { COPY_DST, MAP_MODE_READ, MAP_READ, UNIFORM } from './buffer-usage.ts';
import { DeviceWeights } from './device-weights.ts';
import { ForwardPass, type PassSize } from './forward-pass.ts';
import { PREFILL_TOKENS } from './layer-kernels.ts';
import { PARAMS_STRIDE, paramsBytes } from './params.ts';
import { PickStep } from './pick-step.ts';

/** Rows of logits that are computed and read together; one of PLM-1.8B takes 608 KB. */
const LOGIT_ROWS = 8;
/** Tokens that one wait for the GPU can bring. */
const MOST_PICKS = 32;
/** Positions of the cache that one workgroup attends to while tokens come one by one. */
export const SPLIT = 64;

/** Params of a submission: of the batch, of its head, and of the tokens picked after it. */
const PARAMS_SLOTS = MOST_PICKS + 2;

/**
 * Compiles the kernels and allocates the buffers. @throws BundleError where the device lacks what they need.
 */
export async function createEngine(
  device: GPUDevice,
  manifest: BundleManifest,
  { contextLength = manifest.model.max_position_embeddings }: EngineOptions = {},
): Promise<PlmEngine> {
  if (!(contextLength >= 1 && contextLength <= manifest.model.max_position_embeddings)) {
    const most = manifest.model.max_position_embeddings;
    throw new BundleError('usage', `a context of ${contextLength} tokens; expected 1 to ${most}`);
  }
  device.pushErrorScope('out-of-memory');
  const weights = new DeviceWeights(device, manifest);
  const params = device.createBuffer({ size: PARAMS_STRIDE * PARAMS_SLOTS, usage: UNIFORM | COPY_DST });
  const size = { contextLength, logitRows: LOGIT_ROWS, split: SPLIT };
  try {
    const pass = await ForwardPass.create(device, manifest.model, weights, size, params);
    const pick = await PickStep.create(device, manifest.model, pass, params);
    const error = await device.popErrorScope();
    if (error) throw new BundleError('out-of-memory', `the GPU has too little memory: ${error.message}`);
    return new PlmEngine(device, manifest.model, { weights, params, pass, pick, size });
  } catch (error) {
    weights.dispose();
    throw error;
  }
}

interface EngineParts {
  readonly weights: DeviceWeights;
  readonly pass: ForwardPass;
  readonly pick: PickStep;
  readonly params: GPUBuffer;
  readonly size: PassSize;
}

export class PlmEngine implements Engine {
  readonly contextLength: number;
  readonly #device: GPUDevice;
  readonly #model: BundleModel;
  readonly #parts: EngineParts;
  readonly #staging: GPUBuffer;
  /** Tokens so far: `position` of them are in the cache. */
  #ids: number[] = [];
  /** Tokens that went through the layers one by one, since the start. */
  #steps = 0;

  constructor(device: GPUDevice, model: BundleModel, parts: EngineParts) {
    this.contextLength = parts.size.contextLength;
    this.#device = device;
    this.#model = model;
    this.#parts = parts;
    this.#staging = device.createBuffer({
      size: 4 * Math.max(MOST_PICKS, LOGIT_ROWS * model.vocab_size, 64 * model.intermediate_sizes.length),
      usage: MAP_READ | COPY_DST,
    });
  }

  get position(): number {
    return this.#ids.length;
  }

  writeShard(index: number, bytes: Uint8Array<ArrayBuffer>): void {
    this.#parts.weights.writeShard(index, bytes);
  }

  truncate(position: number): void {
    this.#ids.length = Math.min(this.#ids.length, Math.max(0, position));
  }

  async *logits(ids: readonly number[]): AsyncGenerator<Float32Array, void> {
    this.#check(ids, 0);
    const { pass } = this.#parts;
    const { vocab_size: vocabulary } = this.#model;
    for (let first = 0; first < ids.length; first += PREFILL_TOKENS) {
      const batch = ids.slice(first, first + PREFILL_TOKENS);
      this.#writeIds(batch);
      const slots = [this.#batchParams(batch.length)];
      for (let row = 0; row < batch.length; row += LOGIT_ROWS) {
        slots.push({ ...slots[0]!, tokens: Math.min(LOGIT_ROWS, batch.length - row), row });
      }
      this.#writeParams(slots);
      this.#submit((encoder) => pass.encodeLayers(encoder, 0, batch.length, slots[0]!.splits));
      this.#ids.push(...batch);
      if (batch.length === 1) this.#steps++;
      for (const [index, { tokens }] of slots.slice(1).entries()) {
        const bytes = 4 * tokens * vocabulary;
        this.#submit(
          (encoder) => pass.encodeLogits(encoder, index + 1, tokens),
          (commands) => commands.copyBufferToBuffer(pass.logits, 0, this.#staging, 0, bytes),
        );
        const rows = new Float32Array(await this.#read(bytes));
        for (let row = 0; row < tokens; row++) yield rows.slice(row * vocabulary, (row + 1) * vocabulary);
      }
    }
  }

  async generate(ids: readonly number[], count: number, sampling: Sampling): Promise<Uint32Array> {
    if (!(Number.isInteger(count) && count >= 1 && count <= MOST_PICKS)) {
      throw new BundleError('usage', `${count} tokens at once; expected 1 to ${MOST_PICKS}`);
    }
    if (ids.length === 0) throw new BundleError('usage', 'no tokens to continue');
    this.#check(ids, count - 1);
    const { pass, pick } = this.#parts;
    pick.write([...this.#ids, ...ids], sampling);
    // All but the last batch only fill the cache.
    const last = Math.floor((ids.length - 1) / PREFILL_TOKENS) * PREFILL_TOKENS;
    for (let first = 0; first < last; first += PREFILL_TOKENS) {
      await this.#append(ids.slice(first, first + PREFILL_TOKENS));
    }
    const batch = ids.slice(last);
    this.#writeIds(batch);
    const start = this.#batchParams(batch.length);
    const slots = [start, { ...start, tokens: 1, row: batch.length - 1 }];
    for (let i = 1; i < count; i++) slots.push(this.#batchParams(1, batch.length + i - 1));
    this.#writeParams(slots);
    const begin = this.position + batch.length;
    this.#submit(
      (encoder) => {
        pass.encodeLayers(encoder, 0, batch.length, start.splits);
        pass.encodeLogits(encoder, 1, 1);
        pick.encode(encoder, 0);
        for (let i = 1; i < count; i++) {
          pass.encodeLayers(encoder, i + 1, 1, slots[i + 1]!.splits);
          pass.encodeLogits(encoder, i + 1, 1);
          pick.encode(encoder, i + 1);
        }
      },
      (commands) => commands.copyBufferToBuffer(pass.ids, 4 * begin, this.#staging, 0, 4 * count),
    );
    this.#steps += count - (batch.length === 1 ? 0 : 1);
    const picked = new Uint32Array(await this.#read(4 * count));
    const wrong = picked.find((id) => id >= this.#model.vocab_size);
    if (wrong !== undefined)
      throw new BundleError('wrong-results', 'the logits of the model are not numbers');
    this.#ids.push(...batch, ...picked.subarray(0, -1));
    return picked;
  }

  async stats(): Promise<EngineStats> {
    const { weights, pass } = this.#parts;
    const { intermediate_sizes: widths, tie_word_embeddings: tied } = this.#model;
    this.#submit(undefined, (commands) =>
      commands.copyBufferToBuffer(pass.fired, 0, this.#staging, 0, pass.fired.size),
    );
    const fired = new Uint32Array(await this.#read(pass.fired.size));
    const firing =
      this.#steps === 0 ? [] : widths.map((width, layer) => fired[64 * layer]! / (width * this.#steps));
    const down = widths.map((_, layer) => weights.tensorBytes(`model.layers.${layer}.mlp.down_proj.weight`));
    const dense = weights.bytes - (tied ? 0 : weights.tensorBytes('model.embed_tokens.weight'));
    const skipped = down.reduce((sum, bytes, layer) => sum + bytes * (1 - (firing[layer] ?? 1)), 0);
    return {
      weightBytes: weights.bytes,
      cacheBytes: pass.cacheBytes,
      workingBytes: pass.workingBytes + this.#staging.size + this.#parts.params.size,
      largestBinding: Math.max(weights.largestBinding, pass.largestBinding),
      dispatches: { layer: pass.dispatchesPerLayer, token: pass.dispatchesPerToken + 1 },
      firing,
      bytesPerToken: {
        dense,
        sparse: Math.round(dense - skipped),
        cache: this.position * (pass.cacheBytes / this.contextLength),
      },
    };
  }

  dispose(): void {
    this.#parts.weights.dispose();
    this.#parts.pass.dispose();
    this.#parts.pick.dispose();
    this.#parts.params.destroy();
    this.#staging.destroy();
  }

  /** Fills the cache. */
  async #append(batch: readonly number[]): Promise<void> {
    this.#writeIds(batch);
    const params = this.#batchParams(batch.length);
    this.#writeParams([params]);
    this.#submit((encoder) => this.#parts.pass.encodeLayers(encoder, 0, batch.length, params.splits));
    this.#ids.push(...batch);
    // Submissions that queue up would hold on to the machine that shows the page.
    await this.#device.queue.onSubmittedWorkDone();
  }

  #batchParams(tokens: number, ahead = 0) {
    const position = this.position + ahead;
    // Long batches have workgroups enough, and would need room for the ranges of each token.
    const split = tokens === 1 ? SPLIT : this.contextLength;
    return { position, tokens, row: 0, split, splits: Math.ceil((position + tokens) / split) };
  }

  #writeIds(ids: readonly number[]): void {
    this.#device.queue.writeBuffer(this.#parts.pass.ids, 4 * this.position, Uint32Array.from(ids));
  }

  #writeParams(slots: readonly Parameters<typeof paramsBytes>[0][number][]): void {
    this.#device.queue.writeBuffer(this.#parts.params, 0, paramsBytes(slots));
  }

  #submit(
    encode?: (encoder: GPUComputePassEncoder) => void,
    copy?: (commands: GPUCommandEncoder) => void,
  ): void {
    const commands = this.#device.createCommandEncoder();
    if (encode !== undefined) {
      const encoder = commands.beginComputePass();
      encode(encoder);
      encoder.end();
    }
    copy?.(commands);
    this.#device.queue.submit([commands.finish()]);
  }

  async #read(bytes: number): Promise<ArrayBuffer> {
    await this.#staging.mapAsync(MAP_MODE_READ, 0, bytes);
    const copy = this.#staging.getMappedRange(0, bytes).slice(0);
    this.#staging.unmap();
    return copy;
  }

  #check(ids: readonly number[], more: number): void {
    const { vocab_size: vocabulary } = this.#model;
    const wrong = ids.find((id) => !(Number.isInteger(id) && id >= 0 && id < vocabulary));
    if (wrong !== undefined)
      throw new BundleError('usage', `token id ${wrong}; expected 0 to ${vocabulary - 1}`);
    const end = this.position + ids.length + more;
    if (end > this.contextLength) {
      throw new BundleError('usage', `${end} tokens; expected at most ${this.contextLength}, the context`);
    }
  }
}
