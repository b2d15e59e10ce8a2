import path from 'node:path';
import { usage } from '../core/errors.ts';
import type { Imatrix } from '../core/imatrix.ts';
import type { Model } from '../core/model.ts';
import type { Statistics } from '../core/statistics.ts';
import { formatCount, formatCounted } from '../core/text/format.ts';
import type { Quality } from '../passes/rounding/calibrated-rounding.ts';
import { lineage } from '../pipeline/artifacts/lineage.ts';
import { type SourceAccess, withSource } from '../pipeline/sources/open.ts';
import { withStatistics } from '../pipeline/sources/open-statistics.ts';
import { readImatrix } from '../pipeline/sources/read-imatrix.ts';
import { type SweepPoint, type SweepSize, sweep } from '../pipeline/sweep.ts';
import { SweepFile } from '../pipeline/sweep-file.ts';
import type { Section } from '../report/panel.ts';
import { sweepSection } from '../report/sweep-section.ts';
import { type NamedText, readNamedTexts, textsOf } from './named-text.ts';
import { openReports } from './report-files.ts';

/**
 * A sweep over sizes. A member that is left out has the default of the same flag of `plmpress sweep`.
 */
export interface SweepRequest {
  /** As `openSource` takes it. */
  readonly source: string;
  /** A GGUF, as `gguf:q4_k_m`. */
  readonly target: string;
  readonly sizes: readonly SweepSize[];
  readonly quality: Quality;
  /** File of second moments, as `calibrate` writes it. */
  readonly statistics?: string | undefined;
  /** Importance matrix of llama-imatrix or `calibrate`. */
  readonly imatrix?: string | undefined;
  /** FFN widths to which the model may be pruned. */
  readonly ffnWidths?: readonly number[] | undefined;
  /** Text files to choose schemes on. Left out: a short built-in text. */
  readonly texts?: readonly string[] | undefined;
  /** Text files to measure on. Left out: `texts`. */
  readonly evalTexts?: readonly string[] | undefined;
  /** Maximum number of tokens of each. */
  readonly maxTokens?: number | undefined;
  /** JSON file to keep the points in, so that an interrupted sweep can continue. */
  readonly output?: string | undefined;
  /** Files to write reports to, `.html` or `.md`. */
  readonly reports?: readonly string[] | undefined;
  /** Replace results of another sweep, and existing reports. */
  readonly force?: boolean | undefined;
  readonly threads?: number | undefined;
}

/**
 * Chooses schemes for several sizes and measures the error of each, as `sweep` does. Keeps the points in a
 * file and writes reports.
 * @throws PressError usage if the request contradicts itself; otherwise as `withSource`, `sweep` and
 * `SweepFile` do.
 */
export async function sweepSizes(
  request: SweepRequest,
  access: SourceAccess = {},
): Promise<readonly SweepPoint[]> {
  const { source, quality, statistics } = request;
  if (quality === 'best' && statistics === undefined) {
    throw usage(
      '--quality best needs --statistics',
      'a file of `plmpress calibrate --second-moments all`, or --quality fast',
    );
  }
  return withStatistics(statistics, (known) =>
    withSource(source, (model, place) => sweepModel(request, access, model, place, known), access),
  );
}

async function sweepModel(
  request: SweepRequest,
  { signal, progress }: SourceAccess,
  model: Model,
  place: string | undefined,
  statistics: Statistics | undefined,
): Promise<SweepPoint[]> {
  const { target, sizes, quality, ffnWidths = [], maxTokens, output, force = false } = request;
  const named = [...(request.texts ?? []), ...(request.evalTexts ?? [])];
  const files = [...named, request.statistics, request.imatrix, output];
  const writeReports = await openReports({ models: [[model, place]], files }, request.reports, force);
  const texts = request.texts && (await readNamedTexts(request.texts));
  const evalTexts = request.evalTexts && (await readNamedTexts(request.evalTexts));
  const imatrix = request.imatrix === undefined ? undefined : await readImatrix(request.imatrix);
  const inputs = JSON.stringify([
    ...[target, quality, ffnWidths, maxTokens, texts && textsOf(texts), evalTexts && textsOf(evalTexts)],
    ...[statistics?.sha256, imatrix?.sha256],
  ]);
  const opening = { force, signal };
  const kept = output === undefined ? undefined : await SweepFile.open(output, model, inputs, opening);
  const found = sweep(model, {
    target,
    sizes,
    ffnWidths,
    options: { quality, ...(statistics && { statistics }), ...(imatrix && { imatrix }) },
    threads: request.threads,
    signal,
    progress,
    texts: texts && textsOf(texts),
    evalTexts: evalTexts && textsOf(evalTexts),
    ...(maxTokens !== undefined && { maxTokens, evalTokens: maxTokens }),
    ...(kept && { known: (bytes) => kept.find(bytes) }),
  });
  const points: SweepPoint[] = [];
  try {
    for await (const point of found) {
      points.push(point);
      await kept?.add(point);
    }
  } catch (error) {
    if (signal?.aborted && kept !== undefined && points.length > 0) {
      const done = `${formatCounted(points.length, 'size')} of ${formatCount(sizes.length)}`;
      const message = `${done} are kept in ${output}: the same command continues with the rest`;
      progress?.({ kind: 'note', message });
    }
    throw error;
  }
  if (request.reports !== undefined) {
    const section = await sectionOf(request, points, { model, statistics, imatrix, texts, evalTexts });
    await writeReports(`${model.name}: sweep`, [section]);
  }
  return points;
}

/** The inputs of a sweep. */
interface SweepInputs {
  readonly model: Model;
  readonly statistics: Statistics | undefined;
  readonly imatrix: Imatrix | undefined;
  readonly texts: readonly NamedText[] | undefined;
  readonly evalTexts: readonly NamedText[] | undefined;
}

async function sectionOf(
  { target, quality, evalTexts: judging = [] }: SweepRequest,
  points: readonly SweepPoint[],
  { model, statistics, imatrix, texts = [], evalTexts = [] }: SweepInputs,
): Promise<Section> {
  return sweepSection(target, points, await lineage(model, undefined, undefined, [...texts, ...evalTexts]), [
    ['quality', quality],
    ...sources('statistics', statistics),
    ...sources('importances', imatrix),
    ...(judging.length > 0
      ? [['judged by', judging.map((file) => path.basename(file)).join(', ')] as const]
      : []),
  ]);
}

/** The row of a report that identifies a file by its content. */
function sources(
  name: string,
  file: { readonly name: string; readonly sha256: string } | undefined,
): (readonly [string, string])[] {
  return file === undefined ? [] : [[name, `${file.name}, SHA-256 ${file.sha256}`]];
}
