import { createHash } from 'node:crypto';
import { withStagedOutput } from '../../io/staging/staged-output.ts';
import type { Verification } from '../verify.ts';
import { encodeManifest, MANIFEST_NAME, type Manifest } from './manifest.ts';
import { readManifest } from './manifest-reader.ts';

/** A target and what verifying it has found. */
export interface VerifiedTarget {
  readonly target: string;
  readonly verification: Verification;
}

/**
 * Adds the results of verification, on `texts` or on the built-in one, to the manifest of a folder, and
 * returns it. `files` are those of the run, so that artifacts of other runs with equal targets stay as they
 * are. Figures that are not finite, of broken artifacts, are left out.
 */
export async function recordVerifications(
  folder: string,
  files: readonly { readonly path: string }[],
  verified: readonly VerifiedTarget[],
  texts: readonly string[] = [],
): Promise<Manifest | undefined> {
  const written = new Set(files.map(({ path }) => path));
  const hashes = texts.map((text) => createHash('sha256').update(text).digest('hex'));
  return withStagedOutput(folder, async (output) => {
    const manifest = await readManifest(folder);
    if (manifest === undefined) return undefined;
    const artifacts = manifest.artifacts.map((artifact) => {
      const found = verified.find(({ target }) => target === artifact.target)?.verification;
      if (found === undefined || !artifact.files.some((path) => written.has(path))) return artifact;
      const { tokens, kld, top1 } = found;
      if (!Number.isFinite(kld.mean)) return artifact;
      return { ...artifact, verification: { tokens, meanKld: kld.mean, top1, texts: hashes } };
    });
    const recorded = { ...manifest, artifacts };
    await output.publish({
      name: MANIFEST_NAME,
      content: encodeManifest(recorded),
      meanwhile: 'as it is',
    });
    return recorded;
  });
}
