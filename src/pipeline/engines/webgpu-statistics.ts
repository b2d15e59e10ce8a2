import {
  type ReadingOptions,
  type StatisticsRequest,
  type StatisticsRuntime,
  tokenCount,
} from '../../../calibration/statistics-runtime.ts';
import { deviceForms } from '../../../formats/webgpu/device-form.ts';
import { bundleModel } from '../../../formats/webgpu/geometry.ts';
import { PressError, unsupported } from '../../core/errors.ts';
import type { Model } from '../../core/model.ts';
import { modelTensorName } from '../../core/names.ts';
import { columnCount, readRow } from '../../core/tensor.ts';
import { type HiddenStates, ResidentStates } from '../../runtime/hidden-states.ts';
import type { HeadStatistics, LayerStatistics } from '../../runtime/layer-sums.ts';
import { assertContext } from '../../runtime/plm-runtime.ts';
import { decoderOf } from '../../schemes/index.ts';
import { BundleError } from '../../webgpu/bundle-error.ts';
import type { BundleTensor } from '../../webgpu/manifest.ts';
import type { StatisticsEngine } from '../../webgpu/statistics/statistics-engine.ts';
import type { StageResult, SummedStage } from '../../webgpu/statistics/summed-stage.ts';
import { assertTranscodable } from '../writing/transcode.ts';
import { openDevice } from './dawn.ts';
import { DeviceFaults } from './device-faults.ts';
import { type HostBatch, HostHeadSums, HostLayerSums, HostTriangles } from './host-sums.ts';
import { loadStage } from './load-stage.ts';

/**
 * Runs a model on a GPU for the sums of its activations, layer by layer: embeddings in f32; matrices in f16,
 * or as stored where that is Q8_0 or Q4_0 by rows. The weights of one layer are on the GPU at a time, the
 * hidden states in the memory of the host.
 * @throws PressError unsupported without a GPU and where kv_b_proj is taken apart; usage for a context that
 * the model does not know; while layers are read, invalid-input for weights that f16 does not hold, local-io
 * where the GPU has too little memory or is lost.
 */
export async function openDeviceStatistics(
  model: Model,
  request: StatisticsRequest,
  options: ReadingOptions,
): Promise<StatisticsRuntime> {
  const { config } = model;
  assertRuns(model);
  const contextLength = Math.max(...request.chunks.map(({ ids }) => ids.length));
  assertContext(config, contextLength);
  for (const stage of [...config.intermediateSizes.keys(), 'head'] as const) {
    for (const { planned } of deviceForms(model, stage)) assertTranscodable(planned);
  }
  const { StatisticsEngine } = await import('../../webgpu/statistics/statistics-engine.ts');
  const device = await openDevice();
  const faults = new DeviceFaults(device);
  const { from = { states: new ResidentStates(tokenCount(request.chunks), config.hiddenSize), layers: 0 } } =
    options;
  try {
    const engine = await asPressErrors(
      faults.watch(StatisticsEngine.create(device, bundleModel(config), contextLength)),
    );
    if (from.layers === 0) await embed(model, request, from.states, options.signal);
    return new DeviceStatistics(model, request, { device, faults, engine, from }, options);
  } catch (error) {
    device.destroy();
    throw error;
  }
}

function assertRuns({ config: { kvBForm } }: Model): void {
  if (kvBForm === undefined) return;
  const what = `the device webgpu needs kv_b_proj as in checkpoints, but this model is ${kvBForm}`;
  throw unsupported({ what, expected: 'the device cpu' });
}

/** Reads the embeddings of all tokens. */
async function embed(
  { tensors }: Model,
  { chunks }: StatisticsRequest,
  states: HiddenStates,
  signal: AbortSignal | undefined,
): Promise<void> {
  const embedding = tensors.get(modelTensorName('embed_tokens'))!;
  const decode = decoderOf(embedding.scheme);
  const vector = new Float32Array(columnCount(embedding));
  let token = 0;
  for (const id of chunks.flatMap(({ ids }) => ids)) {
    decode(await readRow(embedding, id, signal), 0, vector, 0, vector.length);
    await states.write(token++, vector);
  }
}

async function asPressErrors<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    if (!(cause instanceof BundleError)) throw cause;
    const failure = cause.code === 'out-of-memory' ? 'local-io' : 'unsupported';
    throw new PressError(failure, { what: cause.message }, { cause });
  }
}

interface StatisticsParts {
  readonly device: GPUDevice;
  readonly faults: DeviceFaults;
  readonly engine: StatisticsEngine;
  readonly from: NonNullable<ReadingOptions['from']>;
}

/** How tokens go through a layer, or the head. */
interface Stage<P> {
  open(tensors: readonly BundleTensor[]): Promise<SummedStage<P>>;
  use(result: StageResult, places: P, batch: HostBatch): Promise<void> | void;
}

/** An engine with the device that it alone uses, and the hidden states between layers. */
class DeviceStatistics implements StatisticsRuntime {
  readonly #model: Model;
  readonly #request: StatisticsRequest;
  readonly #parts: StatisticsParts;
  readonly #options: ReadingOptions;
  readonly #triangles: HostTriangles;
  #layer: number;

  constructor(model: Model, request: StatisticsRequest, parts: StatisticsParts, options: ReadingOptions) {
    this.#model = model;
    this.#request = request;
    this.#parts = parts;
    this.#options = options;
    this.#triangles = new HostTriangles(model.config, request.moments);
    this.#layer = parts.from.layers;
  }

  async nextLayer(): Promise<LayerStatistics> {
    const layer = this.#layer;
    const { engine, from } = this.#parts;
    const moments = this.#triangles.begin(layer);
    const sums = new HostLayerSums(this.#model.config, layer, tokenCount(this.#request.chunks), moments);
    await this.#readAll(layer, {
      open: (tensors) => engine.layer(layer, tensors, moments),
      use: async (result, places, batch) => {
        sums.add(result, places, batch);
        await from.states.write(batch.first, this.#unpadded(result.hidden, batch));
      },
    });
    this.#layer++;
    return sums.statistics;
  }

  async head(): Promise<HeadStatistics> {
    const moments = this.#triangles.begin('head');
    const sums = new HostHeadSums(this.#model.config, moments.get('head'));
    await this.#readAll('head', {
      open: (tensors) => this.#parts.engine.head(tensors, moments),
      use: (result, places, batch) => sums.add(result, places, batch),
    });
    return sums.statistics;
  }

  async close(): Promise<void> {
    this.#parts.engine.dispose();
    this.#parts.device.destroy();
  }

  async #readAll<P>(layer: number | 'head', { open, use }: Stage<P>): Promise<void> {
    const forms = deviceForms(this.#model, layer);
    const work = async () => {
      const stage = await open(forms.map(({ tensor }) => tensor));
      try {
        await loadStage(stage, this.#model, forms, this.#options);
        for (const batch of this.#batches()) {
          this.#options.signal?.throwIfAborted();
          await stage.read({
            ...batch,
            hidden: await this.#hidden(batch),
            use: async (result) => {
              await use(result, stage.places, batch);
              this.#options.progress?.({ kind: 'advance', done: batch.first + batch.tokens });
            },
          });
        }
        await stage.end();
      } finally {
        stage.dispose();
      }
    };
    await asPressErrors(this.#parts.faults.watch(work()));
  }

  *#batches(): Generator<HostBatch & { readonly position: number }> {
    const { batchTokens } = this.#parts.engine;
    let first = 0;
    for (const { ids, weight } of this.#request.chunks) {
      for (let position = 0; position < ids.length; position += batchTokens) {
        const tokens = Math.min(batchTokens, ids.length - position);
        yield { first, tokens, weight, position };
        first += tokens;
      }
    }
  }

  /** Rows of the engine's width: channels that are not there are 0. */
  async #hidden({ first, tokens }: HostBatch): Promise<Float32Array<ArrayBuffer>> {
    const { engine, from } = this.#parts;
    const { hiddenSize: channels } = this.#model.config;
    const { hiddenStride: stride } = engine;
    const vectors = new Float32Array(tokens * channels);
    await from.states.read(first, vectors);
    if (stride === channels) return vectors;
    const rows = new Float32Array(tokens * stride);
    for (let token = 0; token < tokens; token++) {
      rows.set(vectors.subarray(token * channels, (token + 1) * channels), token * stride);
    }
    return rows;
  }

  #unpadded(rows: Float32Array, { tokens }: HostBatch): Float32Array {
    const { hiddenSize: channels } = this.#model.config;
    const stride = rows.length / tokens;
    if (stride === channels) return rows;
    const vectors = new Float32Array(tokens * channels);
    for (let token = 0; token < tokens; token++) {
      vectors.set(rows.subarray(token * stride, token * stride + channels), token * channels);
    }
    return vectors;
  }
}
