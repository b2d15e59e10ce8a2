import { readFileSync } from 'node:fs';
import path from 'node:path';
import { sha256Text, treeDigests } from '../../test/support/oracles/digests.ts';

/** The program of a bundle, which is another whenever its sources are: runtime, page, worker and style. */
const PROGRAM = /\.(js|html|css)$/;
/** The file that has the hash of the runtime. */
const MANIFEST = /(^|\/)manifest\.json$/;

/**
 * SHA-256 of the paths of all files and their digests. The program of a bundle counts by its names, and so do
 * its sizes and hashes where other files hold them.
 */
export function folderDigest(folder: string): string {
  const digests = [...treeDigests(folder)];
  const varying = digests.filter(([name]) => PROGRAM.test(name) || MANIFEST.test(name));
  const lines = digests.map(([name, digest]) => {
    if (PROGRAM.test(name)) return `${name}\n`;
    if (!name.endsWith('.json')) return `${digest}  ${name}\n`;
    const text = readFileSync(path.join(folder, name), 'utf8');
    return `${sha256Text(varying.reduce(withoutContent, text))}  ${name}\n`;
  });
  return sha256Text(lines.join(''));
}

/** JSON in which a name stands for the size and hash of a file. */
function withoutContent(text: string, [name, digest]: readonly [name: string, digest: string]): string {
  return text.replace(new RegExp(`"bytes":\\s*\\d+,\\s*"sha256":\\s*"${digest}"`, 'g'), name);
}
