import { cpSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';
import { Tokenizer } from '../../../src/tokenizer/tokenizer.ts';
import type { BundleManifest } from '../../../src/webgpu/manifest.ts';
import { type FakeBundleOptions, FIXTURE_TOKENIZER, writeFakeBundle } from '../fakes/fake-bundle.ts';
import { repoRoot } from '../paths.ts';

/** What the fake engine answers. */
export const ANSWER = `A press turns loose letters into a page.

First the type is set, line by line. Then ink goes on, and paper is laid over it: <b>one pull</b>, and the words are there. "Small machines", said the old man, "have to choose what they leave out."

So it is with models. What seldom fires can stay silent, and nobody misses it.`;

/** Writes a whole bundle: page, weights, and a runtime that answers `ANSWER` without a GPU. */
export async function writePageBundle(
  folder: string,
  options: FakeBundleOptions = {},
): Promise<BundleManifest> {
  const manifest = writeFakeBundle(folder, {
    ...options,
    change: (m) => {
      m.name = 'PLM tiny';
      options.change?.(m);
    },
  });
  cpSync(path.join(repoRoot, 'dist/formats/webgpu/page'), folder, { recursive: true });
  const tokenizer = new Tokenizer(FIXTURE_TOKENIZER);
  const lead = tokenizer.encode('<|im_start|>assistant\n', { special: true });
  const script = { answer: tokenizer.encode(ANSWER), begin: lead[0], lead: lead.length };
  const { outputFiles } = await build({
    entryPoints: [path.join(repoRoot, 'test/support/fakes/fake-runtime.ts')],
    bundle: true,
    format: 'esm',
    write: false,
    logLevel: 'error',
    define: { SCRIPT: JSON.stringify(script) },
  });
  writeFileSync(path.join(folder, 'runtime.js'), outputFiles[0]!.contents);
  return manifest;
}
