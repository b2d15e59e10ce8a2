import path from 'node:path';
import { PressError } from '../core/errors.ts';
import type { Model } from '../core/model.ts';
import type { Statistics } from '../core/statistics.ts';
import { visible } from '../core/text/format.ts';
import { readStatistics } from '../passes/run.ts';
import { type ArtifactPlace, artifactsAt, checkPlace } from '../pipeline/artifacts/artifact-places.ts';
import { type Engine, formatFault } from '../pipeline/engines/index.ts';
import { formatOf } from '../pipeline/formats/index.ts';
import type { AttentionForm } from '../pipeline/logits.ts';
import { localPlace, type SourceAccess, withSource } from '../pipeline/sources/open.ts';
import { withStatistics } from '../pipeline/sources/open-statistics.ts';
import { checkFiles, idsToCompare, recordedPasses, type Verification, verify } from '../pipeline/verify.ts';
import type { Section } from '../report/panel.ts';
import { refusalSection } from '../report/verification-section.ts';
import { Tokenizer } from '../tokenizer/tokenizer.ts';
import { type NamedText, readNamedTexts, textsOf } from './named-text.ts';
import { openReports } from './report-files.ts';
import { reportSection, reportTitle } from './report-section.ts';

/**
 * A check of artifacts. A member that is left out has the default of the same flag of `plmpress verify`.
 */
export interface VerifyRequest {
  /** GGUF file, ONNX graph, WebGPU bundle, a folder with several of these, or one of them on the Hub. */
  readonly artifact: string;
  /** Source that it was converted from, as `openSource` takes it. */
  readonly against: string;
  /** LoRA adapters that were merged into the source, first to last. */
  readonly adapters?: readonly string[] | undefined;
  /** File of the statistics that the conversion used. */
  readonly statistics?: string | undefined;
  /** Text files that both models read. Left out: a short built-in text. */
  readonly texts?: readonly string[] | undefined;
  /** Maximum number of tokens to compare. */
  readonly maxTokens?: number | undefined;
  /** Largest mean KLD that passes, in nats per token. Left out: by the coarsest scheme. */
  readonly maxKld?: number | undefined;
  /** What runs the artifact. */
  readonly engine?: Engine | undefined;
  /** Form of the KV cache of the reference runtime. */
  readonly attention?: AttentionForm | undefined;
  readonly threads?: number | undefined;
  /** Files to write reports to, `.html` or `.md`. */
  readonly reports?: readonly string[] | undefined;
  /** Replace existing reports. */
  readonly force?: boolean | undefined;
}

/** The result for one artifact. */
export interface VerifiedArtifact {
  readonly name: string;
  /** The target that its record names. */
  readonly target: string | undefined;
  readonly passed: boolean;
  readonly failures: readonly string[];
  /** Undefined if it was refused before the comparison. */
  readonly verification?: Verification;
  readonly refusal?: PressError;
}

export interface VerifyOutcome {
  /** One at least. */
  readonly artifacts: readonly VerifiedArtifact[];
  /** Models in the folder that its record does not name, and that were not checked. */
  readonly leftOut: readonly string[];
}

/**
 * Checks artifacts against their source: those that the record of a folder names, or without a record all
 * that are found. Notes for people are events of `progress`.
 * @throws PressError if a single artifact cannot be opened or differs from its record; of several, the error
 * becomes the result of its artifact, and the others are still verified. Otherwise as `withSource` and
 * `verify` do. An artifact that fails verification is not an error: the outcome says so.
 */
export async function verifyArtifacts(
  request: VerifyRequest,
  access: SourceAccess = {},
): Promise<VerifyOutcome> {
  const { against, adapters, statistics } = request;
  const texts = request.texts && (await readNamedTexts(request.texts));
  const { artifacts, leftOut } = await artifactsAt(await localPlace(request.artifact, access));
  const checked = await withSource(
    against,
    (source, place) =>
      withStatistics(statistics, (known) =>
        checkAll(request, artifacts, { source, place, statistics: known, texts }, access),
      ),
    { ...access, adapters },
  );
  const note = (message: string) => access.progress?.({ kind: 'note', message });
  for (const { name, hasHash } of checked) {
    if (!hasHash) {
      note(`${visible(name)} is in no plmpress.json: it was compared, but there was no hash to check`);
    }
  }
  for (const name of leftOut) {
    note(`${visible(name)} was left out: plmpress.json does not name it; verify it by its path`);
  }
  return { artifacts: checked, leftOut };
}

/** The opened source and the texts. */
interface Reference {
  readonly source: Model;
  /** Path of the source, if it is on this machine. */
  readonly place: string | undefined;
  readonly statistics: Statistics | undefined;
  readonly texts: readonly NamedText[] | undefined;
}

interface CheckedArtifact extends VerifiedArtifact {
  /** Whether its files were compared with recorded hashes. */
  readonly hasHash: boolean;
  /** For the report, if one is requested. */
  readonly section?: Section | undefined;
}

/** Failures that belong to one artifact. All others end the run. */
const OF_ARTIFACTS: readonly PressError['failure'][] = ['verification', 'invalid-input', 'unsupported'];

async function checkAll(
  request: VerifyRequest,
  places: readonly ArtifactPlace[],
  reference: Reference,
  access: SourceAccess,
): Promise<CheckedArtifact[]> {
  const { source, texts } = reference;
  const files = [...(request.texts ?? []), request.statistics, ...places.flatMap(filesOf)];
  const read = { models: [[source, reference.place]] as const, files };
  const writeReports = await openReports(read, request.reports, request.force);
  // A fault of the texts is not a fault of an artifact.
  await idsToCompare(new Tokenizer(source.tokenizer), {
    ...(request.maxTokens !== undefined && { maxTokens: request.maxTokens }),
    ...(access.signal && { signal: access.signal }),
    texts: texts && textsOf(texts),
  });
  const checked: CheckedArtifact[] = [];
  for (const place of places) {
    try {
      checked.push(await check(request, place, reference, access, places.length > 1));
    } catch (error) {
      const isOfOne = error instanceof PressError && OF_ARTIFACTS.includes(error.failure);
      if (places.length === 1 || !isOfOne) throw error;
      checked.push(refused(place, error));
    }
  }
  await writeReports(
    reportTitle(source),
    checked.flatMap(({ section }) => section ?? []),
  );
  return checked;
}

/** Paths of the files of an artifact, as far as they are known before it is opened. */
function filesOf({ place, recorded }: ArtifactPlace): string[] {
  if (recorded === undefined) return [place];
  return recorded.files.map((file) => path.join(recorded.folder, ...file.path.split('/')));
}

function refused({ name, recorded }: ArtifactPlace, refusal: PressError): CheckedArtifact {
  const target = recorded?.artifact.target;
  const failures = [refusal.message];
  const section = refusalSection(target === undefined ? name : `${name} as ${target}`, failures);
  return { name, target, passed: false, failures, refusal, section, hasHash: recorded !== undefined };
}

async function check(
  { engine = 'builtin', attention, threads, maxTokens, maxKld, reports }: VerifyRequest,
  artifactPlace: ArtifactPlace,
  { source, statistics, texts }: Reference,
  access: SourceAccess,
  isOneOfSeveral: boolean,
): Promise<CheckedArtifact> {
  const { signal, progress } = access;
  const note = (message: string) => progress?.({ kind: 'note', message });
  const running = { signal, progress };
  const { place, name, recorded } = artifactPlace;
  await checkPlace(artifactPlace, { by: 'hashes', ...running });
  return withSource(
    place,
    async (artifact, at) => {
      if (recorded === undefined) await checkFiles(at!, artifact, signal);
      const passes = await recordedPasses(at!, artifact);
      if (statistics !== undefined && !readStatistics(passes)) {
        note(`--statistics changes nothing for ${visible(name)}: none of its passes uses them`);
      }
      const fault = isOneOfSeveral ? formatFault(engine, artifact.format) : undefined;
      if (fault !== undefined) note(`the built-in engine runs ${visible(name)}: ${fault}`);
      const verification = await verify(source, artifact, {
        passes,
        threads,
        ...running,
        engine: fault === undefined ? engine : 'builtin',
        attention,
        maxTokens,
        statistics,
        texts: texts && textsOf(texts),
        maxKld,
      });
      const { passed, failures } = verification;
      const section = reports && (await reportSection(at, source, artifact, verification, texts ?? []));
      const target = recorded?.artifact.target;
      const hasHash = recorded !== undefined || formatOf(artifact).holdsHashes;
      return { name, target, passed, failures, verification, hasHash, section };
    },
    access,
  );
}
