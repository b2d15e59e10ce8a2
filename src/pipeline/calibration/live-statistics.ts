import path from 'node:path';
import { chunksDigest } from '../../../calibration/chunks.ts';
import { MOMENT_ROLES, momentSites } from '../../../calibration/moments.ts';
import { type StatisticSource, statisticSources } from '../../../calibration/statistics.ts';
import {
  openStatisticsRuntime,
  runtimeBytes,
  type StatisticsRequest,
  type StatisticsRuntime,
  weighedTokens,
} from '../../../calibration/statistics-runtime.ts';
import { invalidInput } from '../../core/errors.ts';
import type { Progress } from '../../core/jobs/progress.ts';
import { Turns } from '../../core/jobs/turns.ts';
import type { Model } from '../../core/model.ts';
import type { StatisticSlot } from '../../core/statistic-slot.ts';
import {
  type InputStatistics,
  type Moments,
  type NeuronStatistics,
  SAMPLE_WORDS,
  type Statistics,
  triangleChannels,
  triangleSize,
} from '../../core/statistics.ts';
import { elementCount } from '../../core/tensor.ts';
import { STAGING_NAME } from '../../io/staging/staging-folder.ts';
import { machine } from '../../kernels/machine.ts';
import { ResidentStates } from '../../runtime/hidden-states.ts';
import type { HeadStatistics, LayerStatistics } from '../../runtime/layer-sums.ts';
import type { CalibrationTokens } from './calibration-tokens.ts';
import { KeptStates } from './kept-states.ts';
import { calibrationKey } from './key.ts';
import { SpilledStates } from './spilled-states.ts';

export interface LiveOptions {
  /** Default: `defaultThreads`. */
  readonly threads?: number | undefined;
  /** Output folder of the conversion: room for hidden states that take too much memory. Left out: none. */
  readonly output?: string | undefined;
  /** Keep hidden states beside what a conversion keeps that can be resumed. */
  readonly resume?: boolean | undefined;
  /** Memory that there is, in bytes. Left out: that of the machine. */
  readonly maxMemory?: number | undefined;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Part of the memory that hidden states may take. */
const STATES_SHARE = 1 / 4;

/**
 * Statistics that are measured while they are read, one layer of the model after the other: the second
 * moments of one layer are in memory at a time, and none are stored. Their values are those of a file of
 * `calibrate` on the same text.
 */
export class LiveStatistics {
  readonly statistics: Statistics;
  readonly #model: Model;
  readonly #request: StatisticsRequest;
  readonly #options: LiveOptions;
  readonly tokens: number;
  /** Tokens that are read without a past at most. */
  readonly chunkSize: number;
  readonly #sources: readonly StatisticSource[];
  #opened: Promise<StatisticsRuntime> | undefined;
  #states: ResidentStates | SpilledStates | undefined;
  #kept: KeptStates | undefined;
  /** What a run that goes on needs. */
  #keeps: readonly (Float32Array | Uint16Array)[] = [];
  /** Layers that all tokens have gone through, and one more after the head: the turn of what is known. */
  #turn = 0;
  #layer: LayerStatistics | undefined;
  #head: HeadStatistics | undefined;
  /** By layer; zeros until it has been measured. */
  readonly #neurons: readonly NeuronStatistics[];

  constructor(
    model: Model,
    { chunks, chunkSize, tokens, read }: CalibrationTokens,
    options: LiveOptions = {},
  ) {
    this.#model = model;
    this.#request = { chunks, moments: momentSites(MOMENT_ROLES) };
    this.#options = options;
    this.tokens = tokens;
    this.chunkSize = chunkSize;
    this.#sources = statisticSources(model.config, MOMENT_ROLES);
    const { intermediateSizes: widths, numHiddenLayers: layers } = model.config;
    this.#neurons = widths.map((width) => emptyNeurons(width, model.config.hiddenSize));
    this.statistics = {
      name: read.map(({ name }) => name).join(', '),
      sha256: chunksDigest(chunks),
      unread: tokens,
      tokens: Math.fround(weighedTokens(chunks)),
      inputs: this.#inputs(),
      widths,
      neurons: () => (this.#turn >= layers ? this.#neurons : undefined),
      finish: () => this.#reach(Math.max(this.#turn, layers), false),
    };
  }

  /** Bytes of memory that measuring takes. */
  get memoryBytes(): number {
    const states = this.#spills ? 0 : this.#stateBytes;
    return runtimeBytes(this.#model, this.#request) + states;
  }

  /** Bytes of files that are gone once the work is done. */
  get diskBytes(): number {
    if (this.#spills) return this.#stateBytes;
    const neurons = this.#neurons.flatMap((layer) => Object.values(layer));
    const kept = neurons.reduce((sum, { byteLength }) => sum + byteLength, this.#stateBytes);
    return this.#options.resume ? 2 * kept : 0;
  }

  async close(): Promise<void> {
    await (await this.#opened?.catch(() => undefined))?.close();
    if (this.#states instanceof SpilledStates) await this.#states.close();
  }

  get #stateBytes(): number {
    return 4 * this.tokens * this.#model.config.hiddenSize;
  }

  get #spills(): boolean {
    const { output, maxMemory = machine().memory } = this.#options;
    return output !== undefined && this.#stateBytes > maxMemory * STATES_SHARE;
  }

  #inputs(): ReadonlyMap<string, InputStatistics> {
    const inputs = new Map<string, InputStatistics>();
    const ofKind = (...kinds: StatisticSlot['kind'][]) =>
      this.#sources.filter(({ kind }) => kinds.includes(kind));
    const moments = new Map(ofKind('moments').map((source) => [source.matrix, source]));
    for (const source of ofKind('input', 'extra-input')) {
      const products = moments.get(source.matrix);
      inputs.set(source.matrix, {
        channels: elementCount(source),
        turn: this.#turnOf(source),
        meanSquares: async () => this.#means(await this.#sums(source), source),
        ...(products && { moments: this.#momentsOf(products) }),
      });
    }
    return inputs;
  }

  #momentsOf(source: StatisticSource): Moments {
    const size = triangleChannels(elementCount(source));
    return {
      size,
      triangle: async (order, signal, into = new Float64Array(triangleSize(order.length))) => {
        const sums = await this.#sums(source);
        const turns = new Turns(signal);
        for (let a = 0, at = 0; a < order.length; a++) {
          for (let b = 0; b <= a; b++, at++) {
            const [i, j] = order[a]! < order[b]! ? [order[a]!, order[b]!] : [order[b]!, order[a]!];
            const value = this.#mean(sums[i * size - triangleSize(i) + j]!);
            if (!Number.isFinite(value)) throw notFinite(source.matrix, value);
            into[at] = value;
          }
          await turns.offer();
        }
        return into;
      },
    };
  }

  #turnOf({ layer }: StatisticSource): number {
    return layer === undefined ? this.#model.config.numHiddenLayers + 1 : layer + 1;
  }

  async #sums(source: StatisticSource): Promise<Float64Array | Uint16Array> {
    await this.#reach(this.#turnOf(source));
    return source.layer === undefined ? source.values(this.#head!) : source.values(this.#layer!);
  }

  /** Of all tokens, from a sum that is rounded to f32 as in a file. */
  #mean(sum: number): number {
    return Math.fround(sum) / this.statistics.tokens;
  }

  #means(sums: Float64Array | Uint16Array, { matrix }: StatisticSource): Float32Array {
    const means = Float32Array.from(sums, (sum) => this.#mean(sum));
    const broken = means.find((mean) => !Number.isFinite(mean));
    if (broken !== undefined) throw notFinite(matrix, broken);
    return means;
  }

  /** `moments`: with the second moments of that turn. Earlier ones were not asked for. */
  async #reach(turn: number, moments = true): Promise<void> {
    if (turn < this.#turn) {
      const what = 'weights have changed since the interrupted run, whose work cannot be continued';
      throw invalidInput({ what, expected: 'the same source, or a run without --resume' });
    }
    if (turn === this.#turn) return;
    const layers = this.#model.config.numHiddenLayers;
    this.#opened ??= this.#open(Math.min(turn - 1, layers));
    const runtime = await this.#opened;
    while (this.#turn < Math.min(turn, layers)) {
      if (this.#turn > 0) await this.#kept?.save(this.#keeps, this.#turn);
      // The turn counts only once its sums are there, so that an error is met again.
      this.#layer = await runtime.nextLayer(moments && this.#turn + 1 === turn);
      this.#noteNeurons(this.#neurons[this.#turn]!, this.#layer);
      this.#turn++;
    }
    if (turn <= layers) return;
    this.#head = await runtime.head();
    this.#turn = turn;
  }

  /** Begins after the last layer whose hidden states were kept, `most` layers at most. */
  async #open(most: number): Promise<StatisticsRuntime> {
    const { output, resume, threads, signal, progress } = this.#options;
    const { numHiddenLayers: layers, hiddenSize } = this.#model.config;
    const { chunks } = this.#request;
    const states = this.#spills
      ? await SpilledStates.create(output!, this.tokens, hiddenSize)
      : new ResidentStates(this.tokens, hiddenSize);
    this.#states = states;
    if (output !== undefined && resume && states instanceof ResidentStates) {
      const key = await calibrationKey(this.#model, { chunks, moments: MOMENT_ROLES, device: 'cpu' });
      this.#kept = new KeptStates(path.join(output, STAGING_NAME), key);
      this.#keeps = [states.values, ...this.#neurons.flatMap((neurons) => Object.values(neurons))];
      this.#turn = await this.#kept.load(this.#keeps, most);
    }
    const from = { states, layers: this.#turn };
    const tell: Progress = (event) => {
      if (event.kind !== 'advance') return;
      const part = `${Math.floor((100 * event.done) / this.tokens)} %`;
      const what = this.#turn < layers ? `layer ${this.#turn + 1} of ${layers}` : 'the head';
      progress?.({ kind: 'stage', stage: `${what} reads the text, ${part}` });
    };
    return openStatisticsRuntime(this.#model, this.#request, { from, threads, signal, progress: tell });
  }

  #noteNeurons(neurons: NeuronStatistics, { firings, activations, squares, fired }: LayerStatistics): void {
    const means = (sums: Float64Array) => Float32Array.from(sums, (sum) => this.#mean(sum));
    neurons.firings.set(firings);
    neurons.means.set(means(activations));
    neurons.meanSquares.set(means(squares.activations));
    neurons.fired.set(fired);
    neurons.outputSquares.set(means(squares.ffnOutput));
  }
}

function emptyNeurons(width: number, outputs: number): NeuronStatistics {
  return {
    firings: new Float32Array(width),
    means: new Float32Array(width),
    meanSquares: new Float32Array(width),
    fired: new Uint16Array(width * SAMPLE_WORDS),
    outputSquares: new Float32Array(outputs),
  };
}

function notFinite(matrix: string, got: number) {
  return invalidInput({
    field: `inputs of ${matrix}`,
    what: 'their statistics are not finite',
    got,
    expected: 'activations that f32 holds',
  });
}
