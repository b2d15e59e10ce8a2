import { type PressError, usage } from '../../core/errors.ts';
import type { Model } from '../../core/model.ts';
import type { Statistics } from '../../core/statistics.ts';
import { nearest } from '../../core/text/unknown-name.ts';
import { type PassRequest, printPassRequest, runPasses } from '../../passes/run.ts';
import type { Allocation } from '../allocation/allocate.ts';
import { exactly } from '../allocation/candidates.ts';
import { draftBySize } from '../allocation/draft.ts';
import type { AllocationRequest } from '../allocation/request.ts';
import { type AllocatedModel, WidthAllocator } from '../allocation/width-allocator.ts';
import { withCompanions } from '../artifacts/graph-folder.ts';
import type { Format } from '../formats/format.ts';
import { FORMATS, type FormatName, recipeOf, takes, targetFormat } from '../formats/index.ts';
import type { ManifestOptions } from '../record/manifest.ts';
import { recordOptions } from '../record/recorded-options.ts';
import { assertSameGeometry } from '../sameness/same-geometry.ts';
import { passContext } from './pass-context.ts';
import type { Target } from './planned-target.ts';
import type { TargetOptions } from './target-options.ts';

/** Passes that a target needs. */
export function requiredPasses(model: Model, target: string, options: TargetOptions): string[] {
  return parseTarget(target).format.passes(model, options);
}

/**
 * Plans a target such as `gguf:q8_0`.
 * @throws PressError `usage` where the target is misspelled or a size cannot be, `unsupported` where the
 * format cannot hold the model, `invalid-input` where importances or statistics are of another one.
 */
export async function planTarget(model: Model, target: string, options: TargetOptions = {}): Promise<Target> {
  return chooseBySize(target, await draftTarget(model, target, options), options);
}

/** A target before schemes are chosen by size: those that will be chosen are the smallest for now. */
async function draftTarget(model: Model, target: string, options: TargetOptions): Promise<Target> {
  const { format, recipe } = parseTarget(target);
  const { passes: wanted = [], withoutPasses = [] } = options;
  const required = requiredPasses(model, target, options)
    .filter((pass) => !withoutPasses.includes(pass) && !wanted.some((other) => other.name === pass))
    .map((pass): PassRequest => ({ name: pass, options: {} }));
  const passes = [...wanted, ...required];
  const { imatrix, statistics } = options;
  assertSameGeometry(model, { imatrix, statistics });
  const known = { ...(imatrix && { importances: imatrix }), ...(statistics && { statistics }) };
  const prepared = await runPasses({ ...model, ...known }, passes, passContext(options));
  const printed = passes.map(printPassRequest);
  const planned =
    options.allocation !== undefined && takes(format, 'allocation')
      ? { plan: await draftBySize(prepared, { recipe, options }, options.allocation) }
      : await format.plan(prepared, recipe, options, printed);
  return {
    model: prepared,
    passes: printed,
    ...planned,
    options: recordedOptions(target, options),
  };
}

/** The target with the schemes that fit its size, if they are chosen by size. */
async function chooseBySize(target: string, draft: Target, options: TargetOptions): Promise<Target> {
  const { format, recipe } = parseTarget(target);
  if (options.allocation === undefined || !takes(format, 'allocation')) return draft;
  const { model, passes, allocation } = await allocate(draft.model, recipe, options, options.allocation);
  const chosen = withAllocation(options, allocation);
  return {
    model,
    allocation,
    passes: [...draft.passes, ...passes],
    ...(await format.plan(model, recipe, chosen, passes)),
    options: recordedOptions(target, chosen),
  };
}

function recordedOptions(target: string, options: TargetOptions): ManifestOptions {
  const { format, recipe } = parseTarget(target);
  return {
    [format.kind]: format.named(recipe),
    ...recordOptions(format.options, options),
    ...recordedFiles(options),
  };
}

function parseTarget(target: string): {
  readonly format: Format;
  readonly name: FormatName;
  readonly recipe: string;
} {
  const name = targetFormat(target);
  const recipe = recipeOf(target);
  if (name === undefined || recipe === '') throw unknownTarget(target);
  return { format: FORMATS[name], name, recipe };
}

/** Suggests the target that was probably meant. */
function unknownTarget(target: string): PressError {
  const [, typed, recipe = ''] = /^(?:([^:]*):)?(.*)$/s.exec(target) ?? [];
  const format = typed === undefined ? undefined : nearest(typed, Object.keys(FORMATS));
  const formats = Object.entries(FORMATS).filter(([name]) => format === undefined || name === format);
  const name = nearest(
    recipe,
    formats.flatMap(([, { names }]) => names),
  );
  const meant = formats.flatMap(([format, { names }]) =>
    name !== undefined && names.includes(name) ? [`${format}:${name}`] : [],
  );
  const hint = meant.length === 0 ? '' : ` (Did you mean ${meant.join(' or ')}?)`;
  return usage(`unknown target ${JSON.stringify(target)}${hint}`, TARGETS);
}

/**
 * A target as it is spelled in records, whatever case or alias it is given in. Throws `usage` for an unknown
 * one.
 */
export function targetNamed(target: string): string {
  const { format, name, recipe } = parseTarget(target);
  return `${name}:${format.named(recipe)}`;
}

async function allocate(
  model: Model,
  recipe: string,
  options: TargetOptions,
  { targetBytes, ffnWidths = [], ...request }: AllocationRequest,
): Promise<AllocatedModel> {
  const allocator = new WidthAllocator(model, ffnWidths, { recipe, options, ...request });
  try {
    return await allocator.allocate(targetBytes);
  } finally {
    await allocator.close();
  }
}

/** Schemes that were asked for by name come first. */
export function withAllocation(options: TargetOptions, allocation: Allocation | undefined): TargetOptions {
  if (allocation === undefined) return options;
  const chosen = allocation.tensors.map(({ name, scheme }) => exactly(name, scheme));
  return { ...options, tensorTypes: [...(options.tensorTypes ?? []), ...chosen] };
}

const TARGETS = 'gguf:RECIPE, onnx:SCHEME or webgpu:SCHEME';

/**
 * Plans several targets, one after the other. The first ONNX graph brings the files that a folder of graphs
 * needs. `review` gets all drafts before schemes are chosen by size, which takes long; an error that it
 * throws ends the planning.
 */
export async function planTargets(
  model: Model,
  targets: readonly string[],
  options: TargetOptions = {},
  review: (drafts: readonly Target[]) => void | Promise<void> = () => {},
): Promise<Target[]> {
  const sized = targets.filter((target) => takes(parseTarget(target).format, 'allocation'));
  if (options.allocation !== undefined && sized.length > 1) {
    throw usage(`schemes are chosen by size for one GGUF, and ${sized.join(' and ')} would be the same`);
  }
  const drafts: Target[] = [];
  for (const target of targets) drafts.push(await draftTarget(model, target, options));
  await review(withCompanions(drafts));
  const planned: Target[] = [];
  for (const [index, draft] of drafts.entries()) {
    planned.push(await chooseBySize(targets[index]!, draft, options));
  }
  return withCompanions(planned);
}

function recordedFiles({ imatrix, statistics }: TargetOptions): ManifestOptions {
  return {
    ...(imatrix !== undefined && { imatrix: imatrix.name, imatrixSha256: imatrix.sha256 }),
    ...(statistics !== undefined && recordedStatistics(statistics)),
  };
}

/** Statistics of a file; or the text that was read. */
function recordedStatistics({ name, sha256, unread }: Statistics): ManifestOptions {
  return unread === undefined
    ? { statistics: name, statisticsSha256: sha256 }
    : { calibration: name, calibrationSha256: sha256, calibrationTokens: unread };
}
