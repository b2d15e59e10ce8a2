import type { Model } from '../core/model.ts';
import { lineage } from '../pipeline/artifacts/lineage.ts';
import { recordedArtifact } from '../pipeline/artifacts/recorded-artifact.ts';
import type { Verification } from '../pipeline/verify.ts';
import type { Section } from '../report/panel.ts';
import { verificationSection } from '../report/verification-section.ts';
import type { NamedText } from './named-text.ts';

export function reportTitle({ name }: Model): string {
  return `${name}: verification`;
}

/** The section of a report about the artifact at `place`. */
export async function reportSection(
  place: string | undefined,
  source: Model,
  artifact: Model,
  verification: Verification,
  texts: readonly NamedText[],
): Promise<Section> {
  const record = await recordedArtifact(place, artifact);
  const title = `${artifact.name} as ${record?.target ?? artifact.format}`;
  return verificationSection(title, verification, await lineage(source, artifact, record, texts));
}
