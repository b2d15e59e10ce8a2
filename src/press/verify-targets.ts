import path from 'node:path';
import type { Model } from '../core/model.ts';
import type { Statistics } from '../core/statistics.ts';
import type { Target } from '../pipeline/planning/planned-target.ts';
import { type SourceAccess, withSource } from '../pipeline/sources/open.ts';
import { outcomeOf, type Verification, verify } from '../pipeline/verify.ts';
import type { Section } from '../report/panel.ts';
import { type NamedText, textsOf } from './named-text.ts';
import { reportSection } from './report-section.ts';

export interface Verifiable {
  /** The source. */
  readonly model: Model;
  readonly targets: readonly Target[];
  /** Folder that they were written into. */
  readonly output: string;
  readonly statistics: Statistics | undefined;
}

export interface VerifiedTarget {
  readonly target: string;
  readonly verification: Verification;
  /** For the report, if one is requested: it needs the hashes of the artifact. */
  readonly section?: Section | undefined;
}

export interface VerifyTargetsOptions {
  readonly threads?: number | undefined;
  /** Largest mean KLD that passes, in nats per token. Left out: by the coarsest scheme. */
  readonly maxKld?: number | undefined;
  readonly texts?: readonly NamedText[] | undefined;
  /** Whether a report is requested. */
  readonly reports: boolean;
}

/**
 * Compares what `convert` has written with its source. If the check is cut short, a note says which files
 * stay.
 */
export async function verifyTargets(
  { model, targets, output, statistics }: Verifiable,
  { threads, texts, reports, maxKld }: VerifyTargetsOptions,
  { signal, progress }: SourceAccess,
): Promise<VerifiedTarget[]> {
  const verified: VerifiedTarget[] = [];
  try {
    for (const { plan, passes } of targets) {
      const spec = path.join(output, plan.files[0]!.name);
      await withSource(spec, async (artifact) => {
        const verification = await verify(model, artifact, {
          passes,
          threads,
          signal,
          progress,
          statistics,
          maxKld,
          texts: texts && textsOf(texts),
        });
        const section = reports
          ? await reportSection(spec, model, artifact, verification, texts ?? [])
          : undefined;
        verified.push({ target: plan.target, verification, section });
      });
    }
  } catch (error) {
    const note = (message: string) => progress?.({ kind: 'note', message });
    if (verified.length < targets.length) note(describeRest(targets.slice(verified.length), output));
    for (const { target, verification } of verified) {
      note(`${target} was checked before: ${outcomeOf(verification)}`);
    }
    throw error;
  }
  return verified;
}

/** The note on targets that were written, but whose check did not finish. */
function describeRest(targets: readonly Target[], output: string): string {
  const files = targets.map(({ plan }) => path.join(output, plan.files[0]!.name));
  const are = targets.length === 1 ? 'is complete and stays, but is' : 'are complete and stay, but are';
  return `${files.join(', ')} ${are} not verified: \`plmpress verify\` does that`;
}
