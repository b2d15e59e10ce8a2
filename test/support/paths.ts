import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Compiled tests live in dist/test, so the repository is three folders up from here. */
export const repoRoot = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');

/** Path of a file of the embedded fixtures. */
export const fixture = (...parts: string[]) => path.join(repoRoot, 'fixtures', ...parts);
