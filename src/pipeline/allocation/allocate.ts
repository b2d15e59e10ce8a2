import { SAMPLE_TEXT } from '../../../calibration/sample-text.ts';
import { planGguf } from '../../../formats/gguf/export.ts';
import type { TensorType } from '../../../formats/gguf/scheme-choice.ts';
import { invalidInput, PressError, unsupported } from '../../core/errors.ts';
import { type ExportPlan, type PlannedTensor, plannedBytes } from '../../core/export-plan.ts';
import { formatCounted } from '../../core/format.ts';
import type { Model } from '../../core/model.ts';
import type { Progress } from '../../core/progress.ts';
import { fitsScheme, type SchemeName, schemeBytes } from '../../core/scheme.ts';
import { columnCount } from '../../core/tensor.ts';
import { machine } from '../../kernels/machine.ts';
import { PlmRuntime } from '../../runtime/plm-runtime.ts';
import { Tokenizer } from '../../tokenizer/tokenizer.ts';
import { compareEngines, defaultContext } from '../../verify/compare.ts';
import { RememberedLogits } from '../../verify/remembered-logits.ts';
import { encodeTexts } from '../read-text.ts';
import type { TargetOptions } from '../target.ts';
import { type Choice, type Choices, chooseSchemes, totalOf } from './choose.ts';
import { errorsOf, matricesOf, type RoundOptions, roundedModel, roundedTensor } from './round.ts';

/** What a matrix may be stored in, where its rows are whole blocks of 256. */
const SCHEMES: readonly SchemeName[] = ['Q2_K', 'Q3_K', 'IQ4_XS', 'Q4_K', 'Q5_K', 'Q6_K', 'Q8_0'];
/** And where they are not. */
const SCHEMES_OF_32: readonly SchemeName[] = ['Q4_0', 'IQ4_NL', 'Q5_0', 'Q5_1', 'Q8_0'];
/** Coarse enough to be seen in the logits, fine enough that errors still add up. */
const PROBE: SchemeName = 'Q3_K';
const PROBE_OF_32: SchemeName = 'Q4_0';

/** Logits of the source that are kept, lest they be computed for every tensor; and the part of the memory that they may take. */
const REMEMBERED_BYTES = 512e6;
const REMEMBERED_SHARE = 1 / 4;
const DEFAULT_TOKENS = 2048;
/** A prediction that is off by more is made anew. */
const TRUSTED = 1.25;

/** How schemes are to be chosen. */
export interface AllocationRequest extends RoundOptions {
  readonly progress?: Progress;
  /** Most bytes of the artifact, headers included. */
  readonly targetBytes: number;
  /** Widths of the FFN beside the model's own that it may be pruned to, uniformly. */
  readonly ffnWidths?: readonly number[];
  /** What the costs of tensors are measured over. Default: a short built-in text. */
  readonly texts?: readonly string[];
  readonly maxTokens?: number;
}

export interface AllocatorOptions extends Omit<AllocationRequest, 'targetBytes' | 'ffnWidths'> {
  /** What the divergence is measured from. Left out: the model whose schemes are chosen. */
  readonly reference?: Model;
  readonly recipe: string;
  /** Of the target. Schemes that they name for tensors are kept. */
  readonly options: TargetOptions;
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
  /** Mean KLD in nats a token, and what was measured over how many tokens. */
  readonly predictedKld: number;
  readonly measuredKld: number;
  readonly tokens: number;
}

/**
 * Chooses schemes for the matrices of a GGUF, for any number of sizes. What a matrix costs is measured once: it alone is rounded
 * coarsely, and the divergence at the end taken. Its other schemes are predicted to cost in proportion to their squared errors.
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
   * @throws PressError unsupported for another architecture than `plm`; invalid-input for fewer than two tokens of text.
   */
  static async open(prepared: Model, options: AllocatorOptions): Promise<SchemeAllocator> {
    const { texts = [SAMPLE_TEXT], maxTokens = DEFAULT_TOKENS, reference = prepared, signal } = options;
    const { arch = 'plm' } = options.options;
    if (arch !== 'plm')
      throw unsupported({ what: 'choice of schemes by size', got: arch, expected: 'arch plm' });
    const ids = await encodeTexts(new Tokenizer(prepared.tokenizer), texts, maxTokens, signal);
    if (ids.length < 2)
      throw invalidInput({ what: 'tokens of text', got: ids.length, expected: 'at least 2' });
    const runtime = await openRuntime(reference, options);
    const budget = Math.min(REMEMBERED_BYTES, machine().memory * REMEMBERED_SHARE);
    const logits = new RememberedLogits(runtime, reference.config.vocabSize, ids.length, budget);
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
    this.#costs ??= await this.#measureCosts((columns) => (fitsScheme(PROBE, columns) ? PROBE : PROBE_OF_32));
    return this.#choose(choicesBy(this.#errors, this.#costs), targetBytes);
  }

  /** What `allocate` has chosen, or a better choice where that was predicted badly: by what matrices cost in its schemes. */
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
    const schemes = [...SCHEMES, ...SCHEMES_OF_32.filter((scheme) => !SCHEMES.includes(scheme))];
    const { progress } = this.#options;
    progress?.({ kind: 'phase', name: 'measure errors', total: schemes.length });
    for (const [index, scheme] of schemes.entries()) {
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

  /** What each matrix costs, alone in a scheme. */
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
      const bytes = plan.files.reduce((sum, file) => sum + file.bytes, 0);
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
    return { threads, ...(signal && { signal }) };
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
    const artifact = await openRuntime(model, this.#options);
    try {
      this.#reference.rewind();
      const { contextLength } = artifact;
      const { kld } = await compareEngines(this.#reference, artifact, this.#ids, { contextLength });
      return kld.mean;
    } finally {
      await artifact.close();
    }
  }

  #planIn(types: readonly TensorType[]): ExportPlan {
    return planWith(this.#model, this.#options, types);
  }
}

function openRuntime(model: Model, { threads, signal }: RoundOptions): Promise<PlmRuntime> {
  return PlmRuntime.open(model, {
    ...{ contextLength: defaultContext(model), threads },
    ...(signal && { signal }),
  });
}

type PlanOptions = Pick<AllocatorOptions, 'recipe' | 'options'>;

/** Schemes that were asked for by name come first. */
function planWith(model: Model, { options, recipe }: PlanOptions, types: readonly TensorType[]): ExportPlan {
  const { tensorTypes = [], tokenEmbedding, ...rest } = options;
  const fixed = tokenEmbedding === undefined ? [] : [exactly('token_embd.weight', tokenEmbedding)];
  return planGguf(model, {
    ...rest,
    recipe,
    tensorTypes: [...fixed, ...tensorTypes, ...types],
    ...(model.importances && { imatrix: model.importances }),
  });
}

function schemesOf({ source }: PlannedTensor): readonly SchemeName[] {
  return fitsScheme(PROBE, columnCount(source)) ? SCHEMES : SCHEMES_OF_32;
}

/** The requested size of an artifact is impossible. */
export class SizeTooSmall extends PressError {
  constructor(targetBytes: number, smallest: number) {
    super('usage', {
      what: `a size of ${formatCounted(targetBytes, 'byte')} is less than the smallest schemes need`,
      expected: `at least ${formatCounted(smallest, 'byte')}`,
    });
  }
}

/**
 * Refuses sizes that no choice of schemes reaches. It compares plans only: nothing is read or measured. For
 * narrower FFNs the bound counts their weights in proportion, and `allocate` checks the exact size.
 * @throws SizeTooSmall
 */
export function assertSizesPossible(
  sizes: readonly number[],
  model: Model,
  options: PlanOptions,
  ffnWidths: readonly number[] = [],
): void {
  const types = matricesOf(planWith(model, options, [])).map((tensor) => {
    const columns = columnCount(tensor.source);
    const bytes = (scheme: SchemeName) => schemeBytes(scheme, columns);
    return exactly(
      tensor.name,
      schemesOf(tensor).reduce((least, scheme) => (bytes(scheme) < bytes(least) ? scheme : least)),
    );
  });
  const plan = planWith(model, options, types);
  const whole = plan.files.reduce((sum, { bytes }) => sum + bytes, 0);
  const ffn = matricesOf(plan).filter(({ name }) => FFN_MATRIX.test(name));
  const ffnBytes = ffn.reduce((sum, tensor) => sum + plannedBytes(tensor), 0);
  const narrowest = Math.min(
    1,
    ...ffnWidths.map((width) => width / Math.max(...model.config.intermediateSizes)),
  );
  const smallest = Math.ceil(whole - (1 - narrowest) * ffnBytes);
  const tooSmall = sizes.find((size) => size < smallest);
  if (tooSmall !== undefined) throw new SizeTooSmall(tooSmall, smallest);
}

const FFN_MATRIX = /\.ffn_(up|down)\./;

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

/** The scheme of one tensor, by its whole GGUF name. */
export function exactly(name: string, scheme: SchemeName): TensorType {
  return { pattern: `^${name.replaceAll('.', '\\.')}$`, scheme };
}
