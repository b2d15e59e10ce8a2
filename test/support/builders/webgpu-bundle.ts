import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { type BundleArtifact, openBundle } from '../../../formats/webgpu/import/open.ts';
import { closeModel, type Model } from '../../../src/core/model.ts';
import { convert } from '../../../src/pipeline/convert.ts';
import { planTarget } from '../../../src/pipeline/planning/target.ts';
import type { TargetOptions } from '../../../src/pipeline/planning/target-options.ts';
import type { BundleManifest } from '../../../src/webgpu/manifest.ts';
import { temporaryFolder } from '../temporary-folder.ts';

export interface WriteOptions extends TargetOptions {
  readonly threads?: number;
}

/** Converts a model into a bundle in a folder of its own, and returns the bundle's. */
export async function writeBundle(
  t: TestContext,
  model: Model,
  scheme: string,
  { threads = 1, ...options }: WriteOptions = {},
): Promise<string> {
  const output = temporaryFolder(t);
  const targets = [await planTarget(model, `webgpu:${scheme}`, options)];
  await convert({ model, source: 'memory', targets, output, threads });
  return path.join(output, `webgpu-${scheme}`);
}

/** Opens a bundle until the test ends. */
export async function openUntilEnd(t: TestContext, folder: string): Promise<BundleArtifact> {
  const bundle = await openBundle(folder);
  t.after(() => closeModel(bundle));
  return bundle;
}

export function readManifest(folder: string): BundleManifest {
  return JSON.parse(readFileSync(path.join(folder, 'manifest.json'), 'utf8'));
}

/** Names of the files of weights. */
export function shardNames(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.startsWith('w-'));
}
