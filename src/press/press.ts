import path from 'node:path';
import { usage } from '../core/errors.ts';
import type { ExportPlan } from '../core/export-plan.ts';
import type { Model } from '../core/model.ts';
import type { Statistics } from '../core/statistics.ts';
import type { Allocation } from '../pipeline/allocation/allocate.ts';
import { assertSchemePlanFile, readSchemePlan, writeSchemePlan } from '../pipeline/allocation/scheme-plan.ts';
import { type MeasuringCost, predictMeasuring } from '../pipeline/calibration/cost.ts';
import type { LiveStatistics } from '../pipeline/calibration/live-statistics.ts';
import { openLiveStatistics } from '../pipeline/calibration/open-live.ts';
import { assertConvertible, type ConvertOptions, type ConvertResult, convert } from '../pipeline/convert.ts';
import { formatOf } from '../pipeline/formats/index.ts';
import { assertPartWritable, type ConvertPartResult, convertPart } from '../pipeline/parts/convert-part.ts';
import type { Target } from '../pipeline/planning/planned-target.ts';
import { planTargets } from '../pipeline/planning/target.ts';
import type { TargetOptions } from '../pipeline/planning/target-options.ts';
import { recordVerifications } from '../pipeline/record/record-verification.ts';
import { type SourceAccess, withSource } from '../pipeline/sources/open.ts';
import { withStatistics } from '../pipeline/sources/open-statistics.ts';
import { readImatrix } from '../pipeline/sources/read-imatrix.ts';
import { idsToCompare } from '../pipeline/verify.ts';
import { Tokenizer } from '../tokenizer/tokenizer.ts';
import { assertUsed } from './idle.ts';
import { type NamedText, readNamedTexts, textsOf } from './named-text.ts';
import { remarks } from './remarks.ts';
import { openReports } from './report-files.ts';
import { reportTitle } from './report-section.ts';
import type { PressRequest } from './request.ts';
import { type VerifiedTarget, verifyTargets } from './verify-targets.ts';

/** The result of a conversion. */
export interface PressOutcome {
  /** The source. It is closed: its description can be read, its weights cannot. */
  readonly model: Model;
  readonly targets: readonly Target[];
  /** The files of all targets, in the order of the plans. Empty if only a share was converted. */
  readonly files: ConvertResult['files'];
  /** The content of `plmpress.json`; undefined after a dry run, and if only a share was converted. */
  readonly manifest: ConvertResult['manifest'];
  /** Seconds for planning and writing. */
  readonly seconds: number;
  /** The schemes that were chosen for `targetSize`. */
  readonly allocation: Allocation | undefined;
  /** What the quality `best` will take, of a dry run that has no statistics. */
  readonly cost: MeasuringCost | undefined;
  /** One per target if the request asks for verification. A target may have failed. */
  readonly verifications: readonly VerifiedTarget[] | undefined;
  /** The share that was converted. */
  readonly part: ConvertPartResult | undefined;
}

/**
 * Converts a model into artifacts: plans, chooses schemes by size if the request asks for it, writes,
 * verifies and records. Notes for people are events of `progress`.
 * @throws PressError usage if the request contradicts itself or has an option without effect; otherwise as
 * `withSource`, `planTargets`, `convert` and `verify` do. An artifact that fails verification is not an
 * error: the outcome says so.
 */
export async function press(request: PressRequest, access: SourceAccess = {}): Promise<PressOutcome> {
  const { source, adapters, statistics, stream = false } = request;
  const opening = {
    ...access,
    adapters,
    remote: stream || readsHeadsOnly(request),
  };
  return withStatistics(statistics, (known) =>
    withSource(
      source,
      (model, place) => pressOpened(request, access, { model, place, statistics: known }),
      opening,
    ),
  );
}

/** Whether the request needs a plan only, and no weights for it. */
function readsHeadsOnly({ dryRun = false, targetSize }: PressRequest): boolean {
  return dryRun && targetSize === undefined;
}

/** The opened inputs of the request. */
interface Opened {
  readonly model: Model;
  /** Path of the source, if it is on this machine. */
  readonly place: string | undefined;
  readonly statistics: Statistics | undefined;
  /** Measures them meanwhile. */
  readonly live?: LiveStatistics;
}

/** Measures statistics while it converts, if the request needs some and names none. */
async function pressOpened(
  request: PressRequest,
  access: SourceAccess,
  opened: Opened,
): Promise<PressOutcome> {
  if (request.options?.quality !== 'best' || opened.statistics !== undefined) {
    return pressBy(request, access, opened);
  }
  assertMeasurable(request);
  const { texts: files, calibrationTokens: maxTokens, output, resume, threads, maxMemory } = request;
  const { signal, progress } = access;
  const options = { threads, output, resume, maxMemory, progress, signal };
  const live = await openLiveStatistics(opened.model, { files, maxTokens }, options);
  try {
    return await pressBy(request, access, { ...opened, statistics: live.statistics, live });
  } finally {
    await live.close();
  }
}

function assertTextsRead({ texts, verify = false, targetSize }: PressRequest, { live }: Opened): void {
  if (texts === undefined || live !== undefined || verify || targetSize !== undefined) return;
  throw usage('--text does nothing here: the text of --statistics has been read; leave it out');
}

/** Both would read all weights more than once. */
function assertMeasurable({ stream = false, targetSize }: PressRequest): void {
  const option = stream ? '--stream' : '--target-size';
  if (stream || targetSize !== undefined) {
    throw usage(
      `${option} with --quality best needs --statistics`,
      'a file of `plmpress calibrate --second-moments all`',
    );
  }
}

async function pressBy(request: PressRequest, access: SourceAccess, opened: Opened): Promise<PressOutcome> {
  const start = performance.now();
  const { model, place, live } = opened;
  const { output, force = false, dryRun = false, share, verify = false } = request;
  const note = (message: string) => access.progress?.({ kind: 'note', message });
  assertStreams(request, opened);
  const inputs = inputsOf(request);
  const read = { models: [[model, place]] as const, files: [...inputs, ...(request.texts ?? [])] };
  const writeReports = await openReports(read, request.reports, force);
  const saveSchemes = dryRun ? undefined : request.saveSchemes;
  if (saveSchemes !== undefined) await assertSchemePlanFile(saveSchemes, { force, inputs });
  assertTextsRead(request, opened);
  // A text that the rounding has gone by would flatter it.
  const texts = live === undefined && request.texts ? await readNamedTexts(request.texts) : undefined;
  if (verify) await assertTextsSuffice(model, texts, access);

  const options = await targetOptions(request, access, opened, texts);
  const jobOf = (targets: readonly Target[]) => jobFor(request, access, opened, targets);
  const targets = await planTargets(model, request.targets, options, async (drafts) => {
    for (const message of assertUsed(model, drafts, options, request.options)) note(message);
    for (const { plan } of drafts) assertNoReport(plan, output, request.reports);
    if (share === undefined) await assertConvertible(jobOf(drafts));
    else if (!dryRun) await assertPartWritable({ ...jobOf(drafts), share });
  });
  for (const remark of remarks(model, targets)) note(remark);
  const allocation = targets.find((target) => target.allocation !== undefined)?.allocation;
  // First, since it took longer than all that follows and may be used without it.
  if (saveSchemes !== undefined && allocation !== undefined) {
    await writeSchemePlan(saveSchemes, allocation, { force, inputs });
    note(`the chosen schemes are in ${saveSchemes}`);
  }

  const job = jobOf(targets);
  const seconds = () => (performance.now() - start) / 1000;
  const planned = { model, targets, allocation };
  const none = { manifest: undefined, cost: undefined, verifications: undefined, part: undefined };
  if (share !== undefined) {
    const part = await convertPart({ ...job, share });
    return { ...planned, ...none, files: [], part, seconds: seconds() };
  }
  const { files, manifest } = await convert(job);
  const cost = dryRun && live ? await predictMeasuring(live, model, targets, request.threads) : undefined;
  const written = { ...planned, ...none, files, manifest, cost, seconds: seconds() };
  if (!verify || dryRun) return written;

  const verifications = await verifyTargets(
    { model, targets, output, statistics: opened.statistics },
    {
      threads: request.threads,
      reports: request.reports !== undefined,
      texts,
      ...(request.maxKld !== undefined && { maxKld: request.maxKld }),
    },
    access,
  );
  await writeReports(
    reportTitle(model),
    verifications.flatMap(({ section }) => section ?? []),
  );
  const recorded = await recordVerifications(output, files, verifications, texts && textsOf(texts));
  return { ...written, manifest: recorded, verifications };
}

/** Offline, a model that would be read from the Hub is read from the cache. */
function assertStreams({ source, stream }: PressRequest, { model, place }: Opened): void {
  if (stream && (place === source || !formatOf(model).streams)) {
    throw usage('--stream is for checkpoints and GGUF files on the Hub', 'org/name[@revision]');
  }
}

/** Files that no output may replace. */
function inputsOf({ imatrix, statistics, schemes }: PressRequest): string[] {
  return [imatrix, statistics, schemes].filter((file) => file !== undefined);
}

async function assertTextsSuffice(
  model: Model,
  texts: readonly NamedText[] | undefined,
  { signal }: SourceAccess,
): Promise<void> {
  await idsToCompare(new Tokenizer(model.tokenizer), {
    signal,
    texts: texts && textsOf(texts),
  });
}

/** The options by which all targets are planned. */
async function targetOptions(
  request: PressRequest,
  { signal, progress }: SourceAccess,
  { model, statistics }: Opened,
  texts: readonly NamedText[] | undefined,
): Promise<TargetOptions> {
  const { options = {}, targetSize, ffnWidths, threads, maxMemory, imatrix, schemes } = request;
  const schemePlan = schemes === undefined ? [] : await readSchemePlan(schemes, model);
  const common = { threads, signal, progress, texts: texts && textsOf(texts), maxMemory, ffnWidths };
  return {
    ...options,
    tensorTypes: [...(options.tensorTypes ?? []), ...schemePlan],
    ...(imatrix !== undefined && { imatrix: await readImatrix(imatrix) }),
    ...(statistics && { statistics }),
    ...(targetSize !== undefined && { allocation: { targetBytes: targetSize, ...common } }),
    threads,
    progress,
    signal,
  };
}

function jobFor(
  request: PressRequest,
  { signal, progress }: SourceAccess,
  { model, place, live }: Opened,
  targets: readonly Target[],
): ConvertOptions {
  const { output, force = false, resume = false, dryRun = false, threads, maxMemory } = request;
  return {
    model,
    targets,
    output,
    force,
    threads,
    dryRun,
    resume,
    inputs: inputsOf(request),
    source: place,
    maxMemory,
    measuring: live?.memoryBytes,
    signal,
    progress,
  };
}

/** A bundle has a page of its own. */
function assertNoReport(
  { target, files }: ExportPlan,
  output: string,
  reports: readonly string[] = [],
): void {
  const taken = reports.find((report) =>
    files.some(({ name }) => path.resolve(output, name) === path.resolve(report)),
  );
  if (taken !== undefined) throw usage(`--report and ${target} both write ${taken}`);
}
