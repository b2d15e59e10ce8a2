import type { ExportPlan, PlannedTensor, TensorType } from '../../core/export-plan.ts';
import { plannedBytes } from '../../core/export-plan.ts';
import type { Model } from '../../core/model.ts';
import type { SchemeName } from '../../core/scheme.ts';
import { columnCount } from '../../core/tensor.ts';
import { PlmRuntime } from '../../runtime/plm-runtime.ts';
import { compareEngines, defaultContext, windowsOf } from '../../verify/compare.ts';
import type { LogitsEngine } from '../../verify/engine.ts';
import { RememberedLogits } from '../../verify/remembered-logits.ts';
import { SequenceLogits } from '../../verify/sequence-logits.ts';
import { CANDIDATES, exactly, type PlanOptions, planWith, probeOf, schemesOf } from './candidates.ts';
import { type Choice, type Choices, chooseSchemes, totalOf } from './choose.ts';
import { measuredIds } from './measured-ids.ts';
import { rememberedBudget } from './measuring-memory.ts';
import type { AllocationRequest } from './request.ts';
import { errorsOf, matricesOf, type RoundOptions, roundedModel, roundedTensor } from './round.ts';
import { planBytes, SizeTooSmall } from './size-bounds.ts';

/** A prediction that is off by more is made anew. */
const TRUSTED = 1.25;

/** How schemes are to be chosen. */
export interface AllocatorOptions extends PlanOptions, Omit<AllocationRequest, 'targetBytes' | 'ffnWidths'> {
  /** The reference of the divergence. Left out: the model whose schemes are chosen. */
  readonly reference?: Model;
}

export interface AllocatedTensor {
  /** GGUF name. */
  readonly name: string;
  readonly scheme: SchemeName;
  readonly bytes: number;
  /** Mean KLD that it is predicted to cost. */
  readonly cost: number;
}

export interface Allocation {
  readonly tensors: readonly AllocatedTensor[];
  /** Width that the FFN was pruned to; left out: its own. */
  readonly ffnWidth?: number;
  /** Of the artifact. */
  readonly bytes: number;
  /** Mean KLD in nats per token, and what was measured over how many tokens. */
  readonly predictedKld: number;
  readonly measuredKld: number;
  readonly tokens: number;
}

/**
 * Chooses schemes for the matrices of a GGUF, for any number of sizes. What a matrix costs is measured once:
 * it alone is rounded coarsely, and the divergence at the end taken. Its other schemes are predicted to cost
 * in proportion to their squared errors.
 */
export class SchemeAllocator {
  readonly #model: Model;
  readonly #options: AllocatorOptions;
  readonly #reference: RememberedLogits;
  readonly #ids: readonly number[];
  #errors: Errors | undefined;
  #costs: Costs | undefined;
  /** What the model costs before anything is rounded. */
  #base = 0;

  /**
   * `prepared`: as passes have left it. Close the allocator when done.
   * @throws PressError invalid-input for fewer than two tokens of text.
   */
  static async open(prepared: Model, options: AllocatorOptions): Promise<SchemeAllocator> {
    const { reference = prepared } = options;
    const ids = await measuredIds(prepared, options);
    const engine = await openResident(reference, ids, options);
    const budget = rememberedBudget(options.maxMemory);
    const logits = new RememberedLogits(engine, reference.config.vocabSize, ids.length, budget);
    const allocator = new SchemeAllocator(prepared, options, logits, ids);
    if (reference !== prepared) allocator.#base = await allocator.#kldOf(prepared);
    return allocator;
  }

  private constructor(
    model: Model,
    options: AllocatorOptions,
    reference: RememberedLogits,
    ids: readonly number[],
  ) {
    this.#model = model;
    this.#options = options;
    this.#reference = reference;
    this.#ids = ids;
  }

  close(): Promise<void> {
    return this.#reference.close();
  }

  /** Mean KLD of the model before anything is rounded: no choice costs less. */
  get baseKld(): number {
    return this.#base;
  }

  /**
   * Chooses schemes so that the artifact takes at most `targetBytes` and diverges little from its source.
   * @throws SizeTooSmall where even the smallest schemes take more.
   */
  async allocate(targetBytes: number): Promise<Allocation> {
    this.#errors ??= await this.#measureErrors();
    this.#costs ??= await this.#measureCosts(probeOf);
    return this.#choose(choicesBy(this.#errors, this.#costs), targetBytes);
  }

  /**
   * What `allocate` has chosen, or a better choice where that was predicted badly: by what matrices cost in
   * its schemes.
   */
  async repair(first: Allocation, targetBytes: number): Promise<Allocation> {
    if (first.measuredKld <= TRUSTED * first.predictedKld) return first;
    const schemes = new Map(first.tensors.map(({ name, scheme }) => [name, scheme]));
    const costs = await this.#measureCosts((_, name) => schemes.get(name)!);
    const second = await this.#choose(choicesBy(this.#errors!, costs), targetBytes);
    return second.measuredKld < first.measuredKld ? second : first;
  }

  /** Squared relative errors and bytes, by tensor and scheme. */
  async #measureErrors(): Promise<Errors> {
    const errors = new Map<string, Map<SchemeName, { error: number; bytes: number }>>();
    const { progress } = this.#options;
    progress?.({ kind: 'phase', name: 'measure errors', total: CANDIDATES.length });
    for (const [index, scheme] of CANDIDATES.entries()) {
      progress?.({ kind: 'advance', done: index, item: scheme });
      const matrices = matricesOf(this.#planIn([{ pattern: '', scheme }])).filter(
        (tensor) => tensor.scheme === scheme && schemesOf(tensor).includes(scheme),
      );
      const found = await errorsOf(this.#model, matrices, this.#rounding);
      for (const [tensor, { relativeRms }] of found) {
        const known = errors.get(tensor.name) ?? new Map();
        known.set(scheme, { error: relativeRms ** 2, bytes: plannedBytes(tensor) });
        errors.set(tensor.name, known);
      }
    }
    return errors;
  }

  /** The cost of each matrix in each scheme, with all others unchanged. */
  async #measureCosts(schemeOf: (columns: number, name: string) => SchemeName): Promise<Costs> {
    const names = matricesOf(this.#planIn([])).map(
      (tensor) => [tensor.name, columnCount(tensor.source)] as const,
    );
    const types = names.map(([name, columns]) => exactly(name, schemeOf(columns, name)));
    const tensors = matricesOf(this.#planIn(types));
    const costs = new Map<string, { scheme: SchemeName; cost: number }>();
    const { progress, signal } = this.#options;
    progress?.({ kind: 'phase', name: 'measure sensitivities', total: tensors.length });
    for (const tensor of tensors) {
      signal?.throwIfAborted();
      const kld = await this.#kldWith(tensor);
      costs.set(tensor.name, { scheme: tensor.scheme, cost: Math.max(0, kld - this.#base) });
      progress?.({ kind: 'advance', done: costs.size, item: tensor.name });
    }
    return costs;
  }

  async #choose(choices: Choices, targetBytes: number): Promise<Allocation> {
    // Alignment and headers: known exactly once the schemes are.
    let overhead = 0;
    for (;;) {
      const chosen = chooseSchemes(choices, targetBytes - overhead);
      if (chosen === undefined) throw new SizeTooSmall(targetBytes, overhead + leastBytes(choices));
      const plan = this.#planIn([...chosen].map(([name, { scheme }]) => exactly(name, scheme)));
      const bytes = planBytes(plan);
      if (bytes <= targetBytes) {
        return {
          tensors: [...chosen].map(([name, { scheme, bytes, cost }]) => ({ name, scheme, bytes, cost })),
          bytes,
          predictedKld: this.#base + totalOf(chosen, 'cost'),
          measuredKld: await this.#kldOf(await roundedModel(this.#model, plan, this.#rounding)),
          tokens: this.#ids.length,
        };
      }
      overhead = Math.max(overhead + bytes - targetBytes, bytes - totalOf(chosen, 'bytes'));
    }
  }

  get #rounding(): RoundOptions {
    const { threads, signal } = this.#options;
    return { threads, signal };
  }

  /** Mean KLD of the model with one tensor rounded. */
  async #kldWith(tensor: PlannedTensor): Promise<number> {
    const rounded = await roundedTensor(this.#model, tensor, this.#rounding);
    return this.#kldOf({
      ...this.#model,
      tensors: new Map([...this.#model.tensors, [rounded.name, rounded]]),
    });
  }

  /** Mean KLD from the reference. */
  async #kldOf(model: Model): Promise<number> {
    const artifact = await openResident(model, this.#ids, this.#options);
    try {
      const { kld } = await compareEngines(this.#reference, artifact, this.#ids);
      return kld.mean;
    } finally {
      await artifact.close();
    }
  }

  #planIn(types: readonly TensorType[]): ExportPlan {
    return planWith(this.#model, this.#options, types);
  }
}

/** All weights are held: the reference may be asked again and again. */
async function openResident(
  model: Model,
  ids: readonly number[],
  { threads, signal }: RoundOptions,
): Promise<LogitsEngine> {
  const contextLength = defaultContext(model);
  const runtime = await PlmRuntime.open(model, { contextLength, threads, signal });
  return new SequenceLogits(runtime, windowsOf(ids, contextLength));
}

function leastBytes(choices: Choices): number {
  const least = [...choices.values()].map((options) => Math.min(...options.map(({ bytes }) => bytes)));
  return least.reduce((a, b) => a + b, 0);
}

type Errors = ReadonlyMap<
  string,
  ReadonlyMap<SchemeName, { readonly error: number; readonly bytes: number }>
>;
type Costs = ReadonlyMap<string, { readonly scheme: SchemeName; readonly cost: number }>;

/** Costs of all schemes in proportion to their squared errors. */
function choicesBy(errors: Errors, costs: Costs): Choices {
  return new Map(
    [...errors].map(([name, schemes]) => {
      const { scheme: probed, cost } = costs.get(name)!;
      const unit = cost / (schemes.get(probed)?.error || 1);
      const options = [...schemes].map(
        ([scheme, { error, bytes }]): Choice => ({ scheme, bytes, cost: unit * error }),
      );
      return [name, options];
    }),
  );
}
