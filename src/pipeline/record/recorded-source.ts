import { PressError, usage } from '../../core/errors.ts';
import type { Imatrix } from '../../core/imatrix.ts';
import type { Model, SourceFile } from '../../core/model.ts';
import type { Statistics } from '../../core/statistics.ts';
import type { LiveStatistics } from '../calibration/live-statistics.ts';
import { openLiveStatistics } from '../calibration/open-live.ts';
import { type SourceAccess, withSource } from '../sources/open.ts';
import { withStatistics } from '../sources/open-statistics.ts';
import { readImatrix } from '../sources/read-imatrix.ts';
import type { ManifestSource } from './manifest.ts';

/** The places now of the inputs that a record names. */
export interface RecordedPaths {
  /** A source as `openSource` takes it. Left out: the recorded repository of the Hub at its commit. */
  readonly from?: string;
  /** Folders of the adapters that were merged into it, first to last. */
  readonly adapters?: readonly string[];
  readonly imatrix?: string;
  readonly statistics?: string;
  /** Texts that were read during the conversion. Left out: the text that plmpress brings. */
  readonly texts?: readonly string[];
  /** How the source is reached. */
  readonly access?: SourceAccess;
}

/** The inputs of a recorded conversion. */
export interface RecordedInputs {
  /** By the name and origin that the record has for it: artifacts hold these. */
  readonly model: Model;
  /** Its path, if it is on this machine. */
  readonly source?: string | undefined;
  readonly imatrix?: Imatrix | undefined;
  readonly statistics?: Statistics | undefined;
  /** Measures statistics anew, where the conversion did so. */
  readonly live?: LiveStatistics | undefined;
}

/** How what was recorded is opened. */
export interface RecordedReading {
  /** `recorded`: files of weights are not read, but assumed to have the recorded hashes. */
  readonly weights: 'read' | 'recorded';
  /** Tokens that the conversion read; undefined where it read none. */
  readonly calibrationTokens: number | undefined;
  readonly threads?: number | undefined;
}

/**
 * Opens the source that a record names, for as long as `use` takes.
 * @throws PressError usage where the record does not say where the source is; verification where a file of
 * it is another one; and as the openers do.
 */
export function withRecordedSource<T>(
  recorded: ManifestSource,
  { from, adapters, imatrix, statistics, texts, access }: RecordedPaths,
  { weights, calibrationTokens, threads }: RecordedReading,
  use: (inputs: RecordedInputs) => Promise<T>,
): Promise<T> {
  return withStatistics(statistics, (statistics) =>
    withSource(
      from ?? hubSpec(recorded),
      async (opened, place) => {
        const model = await asRecorded(opened, recorded, weights, access?.signal);
        const importances = imatrix === undefined ? undefined : await readImatrix(imatrix);
        const inputs = { model, source: place, imatrix: importances, statistics };
        if (calibrationTokens === undefined) return use(inputs);
        const options = { threads, progress: access?.progress, signal: access?.signal };
        const live = await openLiveStatistics(model, { files: texts, maxTokens: calibrationTokens }, options);
        try {
          return await use({ ...inputs, live });
        } finally {
          await live.close();
        }
      },
      { ...access, adapters, remote: weights === 'recorded' },
    ),
  );
}

function hubSpec({ name, origin }: ManifestSource): string {
  if (origin === undefined)
    throw usage(`the record does not say where on the Hub ${name} is`, '--from SOURCE');
  return `hf://${origin.repository}@${origin.revision}`;
}

async function asRecorded(
  { origin: _, ...model }: Model,
  recorded: ManifestSource,
  weights: 'read' | 'recorded',
  signal: AbortSignal | undefined,
): Promise<Model> {
  const { format, name, origin } = recorded;
  if (model.format !== format) throw differs(name, 'is of another format', model.format, format);
  const unread = new Set(
    weights === 'recorded' ? [...model.tensors.values()].map((tensor) => tensor.origin.file) : [],
  );
  const files: SourceFile[] = [];
  for (const [index, { name: file, bytes, sha256 }] of recorded.files.entries()) {
    const found = model.files[index];
    if (found?.name !== file) throw otherFile(model, file, found?.name);
    if (found.bytes !== bytes) throw differs(file, 'size differs from the record', found.bytes, `${bytes}`);
    if (unread.has(index)) {
      files.push({ name: file, bytes, sha256: async () => sha256, close: () => found.close() });
      continue;
    }
    const digest = await found.sha256(signal);
    if (digest !== sha256) throw differs(file, 'SHA-256 differs from the record', digest, sha256);
    files.push(found);
  }
  const more = model.files[files.length];
  if (more !== undefined) throw differs(more.name, UNRECORDED);
  return { ...model, name, ...(origin && { origin }), files };
}

const UNRECORDED = 'is not a file of the recorded source';

/** The error if the source lacks a recorded file, or has another one in its place. */
function otherFile({ files }: Model, recorded: string, found: string | undefined): PressError {
  if (found !== undefined && files.some(({ name }) => name === recorded)) return differs(found, UNRECORDED);
  const what = recorded.startsWith('adapter_') ? 'is missing; --adapter takes its folder' : 'is missing';
  return differs(recorded, `${what}: the recorded source had it`);
}

function differs(file: string, what: string, ...values: [] | [got: unknown, expected: string]): PressError {
  const [got, expected] = values;
  return new PressError('verification', {
    file,
    what,
    ...(expected !== undefined && { got, expected }),
  });
}
