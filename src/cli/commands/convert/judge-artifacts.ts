import { PressError } from '../../../core/errors.ts';
import type { Model } from '../../../core/model.ts';
import type { Statistics } from '../../../core/statistics.ts';
import { visible } from '../../../core/text/format.ts';
import { readStatistics } from '../../../passes/run.ts';
import { type ArtifactPlace, checkPlace } from '../../../pipeline/artifacts/artifact-places.ts';
import { formatFault } from '../../../pipeline/engines/index.ts';
import { withSource } from '../../../pipeline/sources/open.ts';
import {
  checkFiles,
  idsToCompare,
  recordedPasses,
  type Verification,
  verify,
} from '../../../pipeline/verify.ts';
import { type NamedText, textsOf } from '../../../press/named-text.ts';
import { reportSection } from '../../../press/report-section.ts';
import type { Section } from '../../../report/panel.ts';
import { refusalSection } from '../../../report/verification-section.ts';
import { Tokenizer } from '../../../tokenizer/tokenizer.ts';
import type { Session } from '../../session.ts';
import type { VerifyFlags } from '../flags/verify-flags.ts';

/** The result of `verify` for one artifact. */
export interface JudgedArtifact {
  readonly name: string;
  /** The target that its record names. */
  readonly target: string | undefined;
  readonly passed: boolean;
  readonly failures: readonly string[];
  /** Undefined if it could not be opened. */
  readonly format?: Model['format'];
  /** Undefined if it was refused before the comparison. */
  readonly verification?: Verification;
  readonly refusal?: PressError;
  /** Present if a report was asked for. */
  readonly section?: Section;
}

export interface JudgeOptions {
  readonly source: Model;
  readonly statistics: Statistics | undefined;
  readonly texts?: readonly NamedText[];
  readonly flags: VerifyFlags;
  readonly reports: boolean;
}

/**
 * Verifies artifacts, one after the other.
 * @throws PressError for a single artifact, what is wrong with it. Of several, each fault becomes the result
 * of its artifact, and the others are still verified.
 */
export async function judgeArtifacts(
  session: Session,
  places: readonly ArtifactPlace[],
  options: JudgeOptions,
): Promise<JudgedArtifact[]> {
  const { source, texts, flags } = options;
  const read = {
    maxTokens: flags.tokens,
    signal: session.signal,
    ...(texts && { texts: textsOf(texts) }),
  };
  // A fault of the texts is not a fault of an artifact.
  await idsToCompare(new Tokenizer(source.tokenizer), read);
  const judged: JudgedArtifact[] = [];
  for (const place of places) {
    try {
      judged.push(await judge(session, place, { ...options, isOneOfSeveral: places.length > 1 }));
    } catch (error) {
      if (places.length === 1 || !(error instanceof PressError) || !OF_ARTIFACTS.includes(error.failure))
        throw error;
      judged.push(refused(place, error));
    }
  }
  return judged;
}

/** Failures that belong to one artifact. All others end the run. */
const OF_ARTIFACTS: readonly PressError['failure'][] = ['verification', 'invalid-input', 'unsupported'];

function refused({ name, recorded }: ArtifactPlace, refusal: PressError): JudgedArtifact {
  const target = recorded?.artifact.target;
  const failures = [refusal.message];
  const section = refusalSection(target === undefined ? name : `${name} as ${target}`, failures);
  return { name, target, passed: false, failures, refusal, section };
}

async function judge(
  session: Session,
  artifactPlace: ArtifactPlace,
  { source, statistics, texts, flags, reports, isOneOfSeveral }: JudgeOptions & { isOneOfSeveral: boolean },
): Promise<JudgedArtifact> {
  const { tokens: maxTokens, maxKld, attention, threads } = flags;
  const { signal, progress } = session;
  const wanted = flags.device === 'webgpu' ? 'webgpu' : flags.engine;
  const { place, name, recorded } = artifactPlace;
  await checkPlace(artifactPlace, { by: 'hashes', signal, progress });
  return withSource(
    place,
    async (artifact, at) => {
      // The manifest of a bundle has the hashes of its files.
      if (recorded === undefined) await checkFiles(at!, artifact, signal);
      const passes = await recordedPasses(at!, artifact);
      if (statistics !== undefined && !readStatistics(passes)) {
        session.note(`--statistics changes nothing for ${visible(name)}: none of its passes uses them`);
      }
      const fault = isOneOfSeveral ? formatFault(wanted, artifact.format) : undefined;
      if (fault !== undefined) session.note(`the built-in engine runs ${visible(name)}: ${fault}`);
      const verification = await verify(source, artifact, {
        passes,
        maxTokens,
        attention,
        threads,
        signal,
        progress,
        engine: fault === undefined ? wanted : 'builtin',
        ...(statistics && { statistics }),
        ...(texts && { texts: textsOf(texts) }),
        ...(maxKld !== undefined && { maxKld }),
      });
      const { passed, failures } = verification;
      const section = reports && (await reportSection(at, source, artifact, verification, texts ?? []));
      return {
        name,
        target: recorded?.artifact.target,
        passed,
        failures,
        verification,
        format: artifact.format,
        ...(section && { section }),
      };
    },
    session.access,
  );
}
