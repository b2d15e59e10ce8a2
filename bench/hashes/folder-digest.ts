import { readFileSync } from 'node:fs';
import path from 'node:path';
import { sha256Text, treeDigests } from '../../test/support/oracles/digests.ts';

/** The program of a bundle, which is another whenever its sources are, and the file that has its hash. */
const PROGRAM = 'runtime.js';
const PROGRAM_HOLDER = 'manifest.json';

/**
 * SHA-256 of the paths of all files and their digests. The program of a bundle and what has its hash count by
 * their names.
 */
export function folderDigest(folder: string): string {
  const digests = [...treeDigests(folder)];
  const varying = digests.filter(([name]) => [PROGRAM, PROGRAM_HOLDER].includes(path.basename(name)));
  const lines = digests.map(([name, digest]) => {
    if (path.basename(name) === PROGRAM) return `${name}\n`;
    if (!name.endsWith('.json')) return `${digest}  ${name}\n`;
    const text = readFileSync(path.join(folder, name), 'utf8');
    return `${sha256Text(varying.reduce((left, [other, hash]) => left.replaceAll(hash, other), text))}  ${name}\n`;
  });
  return sha256Text(lines.join(''));
}
