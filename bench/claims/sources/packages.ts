import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { repoRoot } from '../../../test/support/paths.ts';
import type { Source } from '../source.ts';

interface Locked {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** Figures of what npm installs, by package-lock.json and node_modules. */
export const PACKAGE_SOURCES: Readonly<Record<string, Source>> = {
  /** `package NAME size|count`: MB of a package with those that it brings, and how many that are. */
  package: {
    measure: ([name = '', ...figures]) => {
      const folders = closure(`node_modules/${name}`);
      const values = {
        size: folders.reduce((sum, folder) => sum + bytesIn(path.join(repoRoot, folder)), 0) / 1e6,
        count: folders.length - 1,
      };
      return figures.map((figure) => values[figure as keyof typeof values]);
    },
    // Some have other files on other systems.
    tolerance: 0.01,
  },
};

/** The folders of a package and of all that it depends on. */
function closure(root: string): string[] {
  const { packages } = JSON.parse(readFileSync(path.join(repoRoot, 'package-lock.json'), 'utf8')) as {
    packages: Readonly<Record<string, Locked>>;
  };
  const found = new Set([root]);
  for (const folder of found) {
    const { dependencies, optionalDependencies } = packages[folder] ?? {};
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      found.add(resolve(packages, folder, name));
    }
  }
  return [...found];
}

/** As Node looks a package up: in the folder itself, then in those around it. */
function resolve(packages: Readonly<Record<string, Locked>>, folder: string, name: string): string {
  for (let from = folder; ; from = from.slice(0, Math.max(0, from.lastIndexOf('/node_modules/')))) {
    const candidate = path.posix.join(from, 'node_modules', name);
    if (packages[candidate] !== undefined) return candidate;
    if (from === '') throw new Error(`package-lock.json has no ${name} for ${folder}`);
  }
}

/** Of all files but those of packages inside. */
function bytesIn(folder: string): number {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => name !== 'node_modules')
    .map((entry) => {
      const file = path.join(folder, entry.name);
      return entry.isDirectory() ? bytesIn(file) : statSync(file).size;
    })
    .reduce((sum, bytes) => sum + bytes, 0);
}
