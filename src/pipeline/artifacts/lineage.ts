import { createHash } from 'node:crypto';
import type { Model } from '../../core/model.ts';
import { describeSource } from '../record/describe.ts';
import type { ManifestArtifact, ManifestSource } from '../record/manifest.ts';

/** A file by content. */
export interface FileContent {
  /** Never a path of the machine. */
  readonly name: string;
  readonly bytes: number;
  /** In hex. */
  readonly sha256: string;
}

/** What a report is about, by content. */
export interface Lineage {
  readonly source: ManifestSource;
  readonly artifact?: ManifestSource;
  /** What `plmpress.json` beside the artifact says of it. */
  readonly record?: ManifestArtifact;
  /** Those that models read; none: the built-in one. */
  readonly texts: readonly FileContent[];
}

/** Hashes what nobody has hashed so far. `texts` by the base names of their files. */
export async function lineage(
  source: Model,
  artifact: Model | undefined,
  record: ManifestArtifact | undefined,
  texts: readonly { readonly name: string; readonly text: string }[] = [],
): Promise<Lineage> {
  return {
    source: await describeSource(source),
    ...(artifact && { artifact: await describeSource(artifact) }),
    ...(record && { record }),
    texts: texts.map(({ name, text }) => {
      const content = Buffer.from(text);
      return { name, bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') };
    }),
  };
}
