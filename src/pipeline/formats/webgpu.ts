import path, { posix } from 'node:path';
import { readAssets } from '../../../formats/webgpu/assets.ts';
import { planBundle } from '../../../formats/webgpu/export.ts';
import { MANIFEST_FILE } from '../../../formats/webgpu/file-names.ts';
import { bundlePasses } from '../../../formats/webgpu/geometry.ts';
import { bundleFolder, isBundle, isBundleAmong } from '../../../formats/webgpu/import/locate.ts';
import { openBundle, readBundleModel } from '../../../formats/webgpu/import/open.ts';
import { WEBGPU_SCHEMES, webgpuSchemeNamed } from '../../../formats/webgpu/schemes.ts';
import { selfTest } from '../sameness/self-test.ts';
import { VERSION } from '../version.ts';
import type { Format } from './format.ts';

/** The folder of a bundle that is named by itself or by its manifest. */
function folderOf(place: string): string {
  const { dir, base } = posix.parse(place);
  return base === MANIFEST_FILE ? dir : place;
}

export const WEBGPU: Format = {
  reads: ['webgpu'],
  locate: ({ entries, folders }) => [
    ...(isBundle([...entries]) ? [''] : []),
    ...[...folders].flatMap(([name, inner]) => (isBundleAmong(name, [...inner]) ? [name] : [])).sort(),
  ],
  isModelFile: (name) => name === MANIFEST_FILE,
  shareFiles: false,
  filesOf: (files, [place = '']) => files.filter((file) => posix.parse(file.path).dir === folderOf(place)),
  open: openBundle,
  read: ({ folderAt, revision }, place) => {
    const folder = folderOf(place);
    // The folder of a commit in the cache has its name.
    return readBundleModel(folderAt(folder), posix.basename(folder) || revision);
  },
  rootOf: (place) => {
    const { dir, base } = path.parse(bundleFolder(place));
    return { folder: dir, path: base };
  },
  holdsHashes: true,
  holdsNormalizer: true,
  streams: false,

  kind: 'scheme',
  named: (scheme) => webgpuSchemeNamed(scheme).name,
  names: WEBGPU_SCHEMES.map(({ name }) => name),
  options: ['tokenEmbedding', 'tensorTypes', 'quality', 'shardSize'],
  unrecorded: [],
  passes: bundlePasses,
  plan: async (model, scheme, options, passes) => {
    const assets = await readAssets();
    return { plan: planBundle(model, { scheme, version: VERSION, ...options, passes, assets, selfTest }) };
  },
  fileNames: [/^[\w-][\w.-]*\/\w[\w.-]*\.(bin|css|html|js|json)$/],
  // The page.
  mainFile: '/index.html',
  opens: 'folder',
  holdsFiring: true,
  cacheOf: () => 'latent',
};
