import { SAMPLE_TEXT } from '../../calibration/sample-text.ts';
import { checkCompanions } from '../../formats/onnx/import/companions.ts';
import { checkGraphHyperparameters } from '../../formats/onnx/import/graph-hyperparameters.ts';
import { isOnnxArtifact, type OnnxArtifact } from '../../formats/onnx/import/open.ts';
import { checkBundleFiles, isBundleArtifact } from '../../formats/webgpu/import/open.ts';
import { type Fault, invalidInput, PressError } from '../core/errors.ts';
import type { Progress } from '../core/jobs/progress.ts';
import type { Model } from '../core/model.ts';
import { plmTensors, type TensorSlot } from '../core/names.ts';
import type { Statistics } from '../core/statistics.ts';
import { passNamed } from '../passes/index.ts';
import { inKvBForm } from '../passes/rows/kv-b-form.ts';
import { parsePassRequest, runPasses } from '../passes/run.ts';
import type { AttentionForm } from '../runtime/plm-runtime.ts';
import { Tokenizer } from '../tokenizer/tokenizer.ts';
import { compareModels, defaultContext } from '../verify/compare.ts';
import { ACTIVATION_KLD } from '../verify/kld-limits.ts';
import type { Comparison, RowMetrics } from '../verify/metrics.ts';
import { type TensorError, tensorErrors, tensorMismatches } from '../verify/tensor-errors.ts';
import { comparisonFault, defaultMaxKld, tensorFault } from '../verify/thresholds.ts';
import { type PositionText, worstPositions } from '../verify/worst-positions.ts';
import { folderOf, recordedArtifact } from './artifacts/recorded-artifact.ts';
import { assertRunsFormat, type Engine, openEngine } from './engines/index.ts';
import { passContext } from './planning/pass-context.ts';
import { checkManifest } from './record/manifest-reader.ts';
import { assertSameChat } from './sameness/same-chat.ts';
import { assertSameConfig } from './sameness/same-config.ts';
import { assertSameTokenizer } from './sameness/same-tokenizer.ts';
import { encodeTexts } from './sources/read-text.ts';

export type { Comparison, RowMetrics } from '../verify/metrics.ts';
export type { TensorError } from '../verify/tensor-errors.ts';
export type { PositionText, Prediction } from '../verify/worst-positions.ts';

export interface VerifyOptions {
  /** Texts that both models read. Default: a short built-in text. */
  readonly texts?: readonly string[] | undefined;
  /** Most tokens of it. Default 2048. */
  readonly maxTokens?: number | undefined;
  /**
   * Most mean KLD in nats per token. Default: what the artifact's coarsest scheme may cost. There is no limit
   * where that has none, or where a pass has changed what the model computes.
   */
  readonly maxKld?: number | undefined;
  /** The statistics that those passes used. */
  readonly statistics?: Statistics | undefined;
  /** Passes that the artifact's weights have gone through, as `plmpress.json` records them. */
  readonly passes?: readonly string[] | undefined;
  readonly attention?: AttentionForm | undefined;
  /** The engine that runs the artifact. Default: built-in. */
  readonly engine?: Engine | undefined;
  /** Default: by cores, memory and model, see `defaultThreads`. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: Progress | undefined;
}

export const DEFAULT_VERIFY_TOKENS = 2048;
/** Positions that are told with their text. */
const WORST_POSITIONS = 10;

/** A tensor's error and what the tensor is for. */
export type VerifiedTensor = TensorError & Pick<TensorSlot, 'role' | 'layer'>;

/** Figures of a verification and whether they pass. */
export interface Verification extends Comparison {
  readonly passed: boolean;
  /** What did not pass, one printable line each, the whole before its parts. */
  readonly failures: readonly string[];
  /** Undefined where there is no limit: then the KLD is a figure, and the other checks alone have passed. */
  readonly maxKld: number | undefined;
  /** What computed the artifact, and of graphs how many tokens per second. */
  readonly engine: { readonly name: Engine; readonly tokensPerSecond?: number };
  /** Worst first. */
  readonly tensors: readonly VerifiedTensor[];
  /** Tokens of a window; every window starts without a past. */
  readonly contextLength: number;
  /** Every position, in the order of the text. */
  readonly positions: readonly RowMetrics[];
  /** Positions where the two models differ most, worst first. */
  readonly worst: readonly PositionText[];
}

/**
 * What a verification comes to. `compared`: no check has failed, and the KLD was measured without a limit.
 */
export type Outcome = 'passed' | 'compared' | 'failed';

export function outcomeOf({ passed, maxKld }: { passed: boolean; maxKld?: number | undefined }): Outcome {
  if (!passed) return 'failed';
  return maxKld === undefined ? 'compared' : 'passed';
}

/** The JSON result: all but the single positions, of which there are as many as tokens. */
export function withoutPositions({ positions: _, ...rest }: Verification): Omit<Verification, 'positions'> {
  return rest;
}

/**
 * Compares every tensor of an artifact with its source, then what both predict on a text.
 * @throws PressError verification where the two are not the same kind of model: another tokenizer, other
 * tensors; unsupported for schemes without decoder and an engine that does not run the artifact;
 * invalid-input for texts of fewer than two tokens.
 */
export async function verify(
  source: Model,
  artifact: Model,
  options: VerifyOptions = {},
): Promise<Verification> {
  assertRunsFormat(options.engine ?? 'builtin', artifact);
  assertSameTokenizer(source, artifact);
  const reference = await inFormOf(artifact, source, options);
  for (const mismatch of tensorMismatches(reference, artifact))
    throw new PressError('verification', mismatch);
  assertSameConfig(reference.config, artifact.config);
  if (isOnnxArtifact(artifact)) {
    await checkGraphHyperparameters(artifact);
    await checkCompanions(artifact, reference);
  }
  if (isBundleArtifact(artifact)) assertSameChat(source, artifact);
  const tokenizer = new Tokenizer(source.tokenizer);
  const ids = await idsToCompare(tokenizer, options);
  const maxKld = options.maxKld ?? limitOf(artifact, reference);

  const running = runOptions(options);
  const slots = new Map(plmTensors(reference.config).map((slot) => [slot.name, slot]));
  const tensors: VerifiedTensor[] = [];
  const [expected, stored] = inStoredForm(reference, artifact);
  for await (const error of tensorErrors(expected, stored, running)) {
    const { role, layer } = slots.get(error.name)!;
    tensors.push({ ...error, role, layer });
  }
  tensors.sort(worstFirst);
  const { attention, engine = 'builtin' } = options;
  const evaluating = { ...running, attention, countsFirings: true };
  let tokensPerSecond: (() => number | undefined) | undefined;
  // What passes leave of a model must compute what the model itself does; a trimmed vocabulary has fewer
  // logits.
  const original = reference.config.vocabSize === source.config.vocabSize ? source : reference;
  const contextLength = defaultContext(original, artifact);
  const positions: RowMetrics[] = [];
  const comparison = await compareModels(original, artifact, ids, {
    ...evaluating,
    contextLength,
    onRow: (row) => positions.push(row),
    openArtifact: async (windows) => {
      const opened = await openEngine(artifact, engine, windows, evaluating);
      tokensPerSecond = () => opened.tokensPerSecond;
      return opened;
    },
  });

  const faults = [
    comparisonFault(comparison, maxKld),
    isOnnxArtifact(artifact) ? await graphFault(artifact, ids, options) : undefined,
    ...tensors.map((error) => {
      const fault = tensorFault(error);
      const holder = error.failed?.kind === 'reference' ? expected : stored;
      return fault && { ...fault, ...fileOf(holder, error.name) };
    }),
  ];
  const failures = faults.flatMap((fault) => (fault ? [new PressError('verification', fault).message] : []));
  const speed = tokensPerSecond?.();
  return {
    ...comparison,
    passed: failures.length === 0,
    failures,
    maxKld,
    tensors,
    engine: { name: engine, ...(speed !== undefined && { tokensPerSecond: speed }) },
    contextLength,
    positions,
    worst: worstPositions(positions, ids, contextLength, tokenizer, WORST_POSITIONS),
  };
}

/**
 * Tokens that two models are compared over.
 * @throws PressError invalid-input where texts have fewer than two.
 */
export async function idsToCompare(
  tokenizer: Tokenizer,
  options: Pick<VerifyOptions, 'texts' | 'maxTokens' | 'signal'>,
): Promise<readonly number[]> {
  const { texts = [SAMPLE_TEXT], maxTokens = DEFAULT_VERIFY_TOKENS, signal } = options;
  const ids = await encodeTexts(tokenizer, texts, maxTokens, signal);
  if (ids.length < 2) throw invalidInput({ what: 'tokens of text', got: ids.length, expected: 'at least 2' });
  return ids;
}

/**
 * Compares the files of an artifact with the manifest beside them, if there is one.
 * @throws PressError verification where a file is not as it was written.
 */
export async function checkFiles(spec: string, artifact: Model, signal?: AbortSignal): Promise<void> {
  const folder = await folderOf(spec);
  for (const file of artifact.files) await checkManifest(folder, file, signal);
  if (isBundleArtifact(artifact)) await checkBundleFiles(artifact, signal);
}

/**
 * Passes that a bundle, or the manifest beside an artifact, records for it; none where there is no manifest.
 */
export async function recordedPasses(spec: string, artifact: Model): Promise<readonly string[]> {
  if (isBundleArtifact(artifact)) return artifact.manifest.passes;
  return (await recordedArtifact(spec, artifact))?.passes ?? [];
}

function runOptions({ threads, signal, progress }: VerifyOptions) {
  return { threads, signal, progress };
}

/** Pruning costs what it costs; only who asked for it knows what it may. */
function limitOf(artifact: Model, { changes }: Model): number | undefined {
  if (changes.some(({ pass }) => passNamed(pass)?.inexact)) return undefined;
  const stored = defaultMaxKld(artifact.stored?.tensors ?? artifact.tensors);
  return stored !== undefined && isOnnxArtifact(artifact)
    ? Math.max(stored, activationKld(artifact))
    : stored;
}

/** Tokens that a graph is held to its own weights over: two runs, so that its caches take part. */
const GRAPH_TOKENS = 64;

/** Why a graph computes something else than its own weights do in the reference runtime, if so. */
async function graphFault(
  artifact: OnnxArtifact,
  ids: readonly number[],
  options: VerifyOptions,
): Promise<Fault | undefined> {
  const running = runOptions(options);
  const comparison = await compareModels(artifact, artifact, ids.slice(0, GRAPH_TOKENS), {
    ...running,
    openArtifact: (windows) => openEngine(artifact, 'builtin', windows, running),
  });
  const fault = comparisonFault(comparison, activationKld(artifact));
  return fault && { ...fault, what: 'mean KLD between the graph and its weights in the reference runtime' };
}

/** Operators that round what they multiply to 8 bits, in the graphs of the exporter. */
const BYTE_PRODUCTS: readonly string[] = ['DynamicQuantizeMatMul', 'MatMulNBits'];

/** Most mean KLD to expect of what a graph rounds: its activations, to halves or to 8 bits, or nothing. */
function activationKld({ graph }: OnnxArtifact): number {
  const { inputs, nodes } = graph.graph;
  if (nodes.some(({ opType }) => BYTE_PRODUCTS.includes(opType))) return ACTIVATION_KLD.bytes;
  return inputs.some(({ type }) => type === 'float16') ? ACTIVATION_KLD.half : ACTIVATION_KLD.float;
}

/** The source with weights in the form of the artifact's, with which each tensor is compared. */
async function inFormOf(artifact: Model, source: Model, options: VerifyOptions): Promise<Model> {
  const { passes = [], statistics, signal } = options;
  const known = { ...source, ...(statistics && { statistics }) };
  const model = await runPasses(known, passes.map(parsePassRequest), passContext(options));
  const permutes = artifact.config.ropeInterleave && !model.config.ropeInterleave;
  const permuted = await runPasses(
    model,
    permutes ? [parsePassRequest('permute-rope')] : [],
    signal && { signal },
  );
  return inKvBForm(permuted, artifact.config.kvBForm, signal);
}

/** The file that a tensor begins in. */
function fileOf({ tensors, files }: Model, name: string): { readonly file?: string } {
  const file = files[tensors.get(name)!.origin.file];
  return file === undefined ? {} : { file: file.name };
}

/** Both with the tensors that the artifact stores: rounding is judged by its own blocks. */
function inStoredForm(reference: Model, artifact: Model): [reference: Model, artifact: Model] {
  const { stored } = artifact;
  if (stored === undefined) return [reference, artifact];
  const tensors = plmTensors(reference.config).map(
    (slot) => [slot.name, stored.of(slot, reference.tensors.get(slot.name)!)] as const,
  );
  return [
    { ...reference, tensors: new Map(tensors) },
    { ...artifact, tensors: stored.tensors },
  ];
}

function worstFirst(a: TensorError, b: TensorError): number {
  return b.notFinite - a.notFinite || relativeError(b) - relativeError(a);
}

/** Of a tensor of zeros, any error is infinitely large. */
export function relativeError({ rms, rmsError }: TensorError): number {
  return rmsError === 0 ? 0 : rmsError / rms;
}
