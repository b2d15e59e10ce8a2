import { createHash } from 'node:crypto';
import { isBundleArtifact } from '../../../formats/webgpu/import/open.ts';
import { readManifest } from '../../../src/webgpu/read-manifest.ts';
import type { Dice } from '../../support/builders/dice.ts';
import { mutateBytes } from '../mutate/bytes.ts';
import { mutateJson } from '../mutate/json.ts';
import type { Files, Target } from '../target.ts';
import { useModel } from '../use-model.ts';
import { artifactSubject, converted } from './artifact.ts';

const [MANIFEST, VOCABULARY] = ['manifest.json', 'vocabulary.json'];

/** WebGPU bundles: the manifest, the vocabulary and the shards. */
export const BUNDLE: Target = {
  name: 'bundle',
  failures: ['verification'],
  cases: 2000,
  async setUp() {
    const seeds = [await converted('webgpu:q4', 'webgpu-q4')];
    const mutatorOf = (name: string) => (name.endsWith('.json') ? mutateJson : mutateBytes);
    const subject = artifactSubject(seeds, mutatorOf, async (model, files) => {
      if (!isBundleArtifact(model)) throw new Error(`opens as ${model.format}`);
      await useModel(model);
      for (const index of model.manifest.shards.keys()) await model.readShard(index);
      // What verify accepts, a browser loads.
      readManifest(Buffer.from(files.get(MANIFEST)!).toString());
    });
    return { ...subject, follow };
  },
};

/** Mostly the manifest tells size and digest of the vocabulary as it is now. */
function follow(files: Files, dice: Dice): Files {
  const [manifest, vocabulary] = [files.get(MANIFEST), files.get(VOCABULARY)];
  if (manifest === undefined || vocabulary === undefined || dice.chance(0.1)) return files;
  try {
    const parsed = JSON.parse(Buffer.from(manifest).toString());
    const sha256 = createHash('sha256').update(vocabulary).digest('hex');
    if (parsed.tokenizer.sha256 === sha256) return files;
    Object.assign(parsed.tokenizer, { bytes: vocabulary.length, sha256 });
    return new Map([...files, [MANIFEST, Buffer.from(JSON.stringify(parsed))]]);
  } catch {
    return files;
  }
}
