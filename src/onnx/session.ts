import { giveTurn } from '../core/jobs/turns.ts';
import { Call } from './check/call.ts';
import { checkModel } from './check/check.ts';
import { isFixed } from './check/extent.ts';
import { Sizes } from './check/sizes.ts';
import { initializerBytes, typeOfValue } from './check/value-type.ts';
import { checkFeeds } from './feeds.ts';
import { type Initializer, isExternal, type OnnxModel } from './graph.ts';
import { operatorOf } from './operators/index.ts';
import type { OutputType } from './operators/operator.ts';
import { type Plan, planModel, type Step } from './plan.ts';
import { rounded } from './rounded.ts';
import { decodeElements, type TensorValue } from './value.ts';
import { type LoadedWeights, loadWeights } from './weights/load-weights.ts';
import type { ReadInitializer } from './weights/weight-request.ts';

export interface SessionOptions {
  /** Reads an initializer whose data is external; it may be asked more than once. */
  readonly read: ReadInitializer;
  /** Default: by cores, memory and model, see `defaultThreads`. */
  readonly threads?: number | undefined;
  /** Bytes of working memory allowed, for weights and products. Values between nodes come on top. */
  readonly maxMemory?: number;
  /** Ends opening and every later run. */
  readonly signal?: AbortSignal | undefined;
}

type Values = Map<string, TensorValue>;

/**
 * Runs a graph node by node, with the roundings of ONNX Runtime's CPU provider. Weights stay in about the
 * bytes of their file; results do not depend on threads. One run at a time.
 */
export class OnnxSession {
  /** Working memory: weights, and room for products. */
  readonly memoryBytes: number;
  readonly #model: OnnxModel;
  readonly #plan: Plan;
  readonly #weights: LoadedWeights;
  readonly #constants: Values = new Map();
  readonly #signal: AbortSignal | undefined;

  private constructor(model: OnnxModel, plan: Plan, weights: LoadedWeights, signal: AbortSignal | undefined) {
    this.memoryBytes = weights.memoryBytes;
    this.#model = model;
    this.#plan = plan;
    this.#weights = weights;
    this.#signal = signal;
  }

  /**
   * Loads a model. Throws what `checkModel` throws, and `local-io` where the working memory does not fit.
   */
  static async open(model: OnnxModel, options: SessionOptions): Promise<OnnxSession> {
    checkModel(model);
    const plan = planModel(model);
    const read: ReadInitializer = async (initializer, into) => {
      options.signal?.throwIfAborted();
      if (isExternal(initializer.data)) await options.read(initializer, into);
      else into.set(initializer.data);
    };
    const weights = await loadWeights(plan.weights, read, options);
    try {
      const session = new OnnxSession(model, plan, weights, options.signal);
      await session.#loadConstants(read);
      return session;
    } catch (error) {
      await weights.compute.close();
      throw error;
    }
  }

  /** Outputs of the graph by name. Throws `invalid-input` where the feeds are not its inputs. */
  async run(feeds: Readonly<Record<string, TensorValue>>): Promise<Record<string, TensorValue>> {
    const { inputs, outputs } = this.#model.graph;
    checkFeeds(inputs, feeds);
    const values: Values = new Map(this.#constants);
    for (const { name } of inputs) values.set(name, feeds[name]!);
    await this.#runSteps(this.#plan.steps, values);
    return Object.fromEntries(outputs.map(({ name }) => [name, rounded(values.get(name)!)]));
  }

  /** Ends the threads and gives up the memory. */
  async close(): Promise<void> {
    await this.#weights.compute.close();
  }

  async #loadConstants(read: ReadInitializer): Promise<void> {
    const values: Values = new Map();
    for (const initializer of this.#plan.constants) {
      values.set(initializer.name, await readValue(initializer, read));
    }
    await this.#runSteps(this.#plan.folded, values);
    const { steps } = this.#plan;
    const used = new Set(steps.flatMap(({ inputs }) => inputs));
    for (const { name } of this.#model.graph.outputs) used.add(name);
    for (const [name, value] of values) if (used.has(name)) this.#constants.set(name, value);
  }

  async #runSteps(steps: readonly Step[], values: Values): Promise<void> {
    for (const step of steps) {
      // Kernels block this thread.
      await giveTurn(this.#signal);
      this.#runStep(step, values);
      for (const name of step.frees) values.delete(name);
    }
  }

  #runStep({ call: planned, inputs: names, weight, wide }: Step, values: Values): void {
    const { node } = planned;
    const operator = operatorOf(node)!;
    const inputs = names.map((name) => {
      const value = values.get(name);
      return value === undefined || wide ? value : rounded(value);
    });
    const types = inputs.map((value, i) => (value === undefined ? planned.inputs[i] : typeOfValue(value)));
    const call = new Call(node, operator, types, new Sizes());
    const outputs = operator.infer(call).map(({ type, shape }): OutputType => {
      if (!shape?.every(isFixed)) throw call.fault('shape of the output', shape?.map(String), 'a known one');
      return { type, shape };
    });
    const { matrices, products } = this.#weights;
    const execution = { call, inputs, outputs, products, weight: matrices.get(weight ?? '') };
    for (const [i, data] of operator.evaluate(execution).entries()) {
      const name = node.outputs[i];
      if (name === undefined || name === '') continue;
      const value = { ...outputs[i]!, data };
      values.set(name, operator.float16 === 'computes' ? rounded(value) : value);
    }
  }
}

async function readValue(initializer: Initializer, read: ReadInitializer): Promise<TensorValue> {
  const bytes = new Uint8Array(initializerBytes(initializer));
  await read(initializer, bytes);
  const { type, shape } = initializer;
  return { type, shape, data: decodeElements(type, bytes) };
}
