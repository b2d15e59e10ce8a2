import { COPY_DST, MAP_MODE_READ, MAP_READ } from '../engine/buffer-usage.ts';
import type { DeviceWeights, Plane } from '../engine/device-weights.ts';
import { type BoundDispatch, encodeDispatches } from '../engine/dispatch.ts';
import { PREFILL_TOKENS } from '../engine/layer-kernels.ts';
import { paramsBytes } from '../engine/params.ts';
import { GATHERED_TOKENS, type MomentSums, MULTIPLIED_TIMES } from './moment-sums.ts';

/** Tokens that go through a stage together, `PREFILL_TOKENS` at most. */
export interface StageBatch {
  readonly tokens: number;
  /** Of the first of them in its text, which has been read up to there. */
  readonly position: number;
  /** How often each of them counts in second moments. */
  readonly weight: number;
  /** Their residual stream before the stage, `hiddenStride` floats a token. */
  readonly hidden: Float32Array<ArrayBuffer>;
  /** Takes what comes of them. */
  readonly use: (result: StageResult) => Promise<void>;
}

/** What a batch has left. The views hold until `use` is done. */
export interface StageResult {
  /** Unweighted sums over the batch, in the places of the stage. */
  readonly floats: Float32Array;
  readonly words: Uint32Array;
  /** The residual stream behind the stage. */
  readonly hidden: Float32Array;
}

interface StageParts<P> {
  readonly weights: DeviceWeights;
  readonly places: P;
  readonly moments: readonly MomentSums[];
  readonly forward: readonly BoundDispatch[];
  readonly products: readonly BoundDispatch[];
  readonly hidden: GPUBuffer;
  readonly sums: GPUBuffer;
  readonly params: GPUBuffer;
  readonly staging: readonly GPUBuffer[];
}

/** A batch on its way back from the GPU. */
interface Reading {
  readonly batch: StageBatch;
  readonly staging: GPUBuffer;
  readonly mapped: Promise<void>;
}

/** A layer, or the head, that batch after batch goes through, and the second moments of all of them. */
export class SummedStage<P> {
  readonly places: P;
  readonly #device: GPUDevice;
  readonly #parts: StageParts<P>;
  readonly #momentStaging: GPUBuffer;
  #batches = 0;
  #before: Reading | undefined;
  /** Of what has been gathered and multiplied. */
  #weight = 1;
  /** Tokens that are gathered, and how often such have been multiplied. */
  #gathered = 0;
  #multiplied = 0;

  constructor(device: GPUDevice, parts: StageParts<P>) {
    this.places = parts.places;
    this.#device = device;
    this.#parts = parts;
    this.#momentStaging = device.createBuffer({
      size: Math.max(4, ...parts.moments.map(({ bandBytes }) => bandBytes)),
      usage: MAP_READ | COPY_DST,
    });
  }

  /** Copies rows of a tensor; `firstRow` is even, so that it begins with a whole word. */
  async writeRows(
    name: string,
    plane: Plane,
    firstRow: number,
    bytes: Uint8Array<ArrayBuffer>,
  ): Promise<void> {
    this.#parts.weights.writeRows(name, plane, firstRow, bytes);
    // Bytes that queue up would be held twice.
    await this.#device.queue.onSubmittedWorkDone();
  }

  /** Sends a batch through, and sees to the use of the one before. */
  async read(batch: StageBatch): Promise<void> {
    if (batch.weight !== this.#weight) await this.#addUp();
    this.#weight = batch.weight;
    if (this.#gathered + batch.tokens > GATHERED_TOKENS) await this.#multiply();
    const reading = this.#submit(batch);
    this.#gathered += batch.tokens;
    await this.#take();
    this.#before = reading;
  }

  /** Sees to the use of the last batch, and adds up all second moments. */
  async end(): Promise<void> {
    await this.#take();
    await this.#addUp();
  }

  dispose(): void {
    const { weights, moments } = this.#parts;
    for (const part of [weights, ...moments]) part.dispose();
    this.#momentStaging.destroy();
  }

  #submit(batch: StageBatch): Reading {
    const { forward, hidden, sums, staging } = this.#parts;
    const { tokens, position } = batch;
    const { queue } = this.#device;
    const to = staging[this.#batches++ % staging.length]!;
    queue.writeBuffer(hidden, 0, batch.hidden);
    this.#encode(forward, { tokens, position, row: this.#gathered }, (commands) => {
      commands.copyBufferToBuffer(sums, 0, to, 0, sums.size);
      commands.copyBufferToBuffer(hidden, 0, to, sums.size, hidden.size);
    });
    const mapped = to.mapAsync(MAP_MODE_READ);
    // A failure is met when the batch is taken; until then it must not count as unhandled.
    mapped.catch(() => undefined);
    return { batch, staging: to, mapped };
  }

  async #take(): Promise<void> {
    const reading = this.#before;
    if (reading === undefined) return;
    this.#before = undefined;
    const { batch, staging, mapped } = reading;
    const { size } = this.#parts.sums;
    await mapped;
    try {
      const bytes = staging.getMappedRange();
      await batch.use({
        floats: new Float32Array(bytes, 0, size / 4),
        words: new Uint32Array(bytes, 0, size / 4),
        hidden: new Float32Array(bytes, size, batch.hidden.length),
      });
    } finally {
      staging.unmap();
    }
  }

  async #multiply(): Promise<void> {
    if (this.#gathered === 0) return;
    this.#encode(this.#parts.products, { tokens: this.#gathered, position: 0, row: 0 });
    this.#gathered = 0;
    this.#multiplied++;
    if (this.#multiplied === MULTIPLIED_TIMES) await this.#empty();
  }

  async #addUp(): Promise<void> {
    await this.#multiply();
    await this.#empty();
  }

  async #empty(): Promise<void> {
    if (this.#multiplied === 0) return;
    for (const moments of this.#parts.moments) {
      await moments.empty(this.#device, this.#momentStaging, this.#weight);
    }
    this.#multiplied = 0;
  }

  #encode(
    dispatches: readonly BoundDispatch[],
    { tokens, position, row }: { readonly tokens: number; readonly position: number; readonly row: number },
    copy?: (commands: GPUCommandEncoder) => void,
  ): void {
    const split = position + PREFILL_TOKENS;
    const { params } = this.#parts;
    const { queue } = this.#device;
    queue.writeBuffer(params, 0, paramsBytes([{ position, tokens, row, split, splits: 1 }]));
    const commands = this.#device.createCommandEncoder();
    const encoder = commands.beginComputePass();
    encodeDispatches(encoder, dispatches, 0, tokens);
    encoder.end();
    copy?.(commands);
    queue.submit([commands.finish()]);
  }
}
