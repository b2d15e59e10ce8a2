import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { RECIPES } from '../../formats/gguf/recipes.ts';
import { ONNX_SCHEMES } from '../../formats/onnx/schemes.ts';
import { WEBGPU_SCHEMES } from '../../formats/webgpu/schemes.ts';
import { folderDigest } from './folder-digest.ts';
import { type HashedSource, writeSources } from './sources.ts';
import { WAYS } from './ways.ts';

/**
 * `npm run hashes`: writes three models to every target, at once, interrupted and resumed, in parts, and
 * reproduced, and prints one SHA-256 per folder. Two versions of plmpress that print the same write the same
 * bytes, but for the program of a bundle.
 */
const folder = mkdtempSync(path.join(tmpdir(), 'plmpress-hashes-'));
try {
  for (const source of await writeSources(folder)) {
    for (const [format, targets] of Object.entries(targetsByFormat())) {
      const job = jobOf(source, format, targets);
      const whole = path.join(folder, source.name, format, 'whole');
      for (const [way, write] of Object.entries(WAYS)) {
        const output = path.join(folder, source.name, format, way);
        await write(job, output, whole);
        process.stdout.write(`${folderDigest(output)}  ${source.name} ${format} ${way}\n`);
      }
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function targetsByFormat(): Readonly<Record<string, readonly string[]>> {
  return {
    gguf: RECIPES.map(({ name }) => `gguf:${name}`),
    onnx: ONNX_SCHEMES.map(({ name }) => `onnx:${name}`),
    webgpu: WEBGPU_SCHEMES.map(({ name }) => `webgpu:${name}`),
  };
}

function jobOf({ place, statistics, passes }: HashedSource, format: string, targets: readonly string[]) {
  const own = format === 'gguf' ? passes.gguf : passes.others;
  return {
    source: place,
    files: [
      ...(format === 'gguf' ? ['--imatrix', statistics] : []),
      ...(own.length > 0 ? ['--statistics', statistics] : []),
    ],
    flags: [...targets.flatMap((target) => ['--to', target]), ...own.flatMap((pass) => ['--pass', pass])],
  };
}
