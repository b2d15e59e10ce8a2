import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { repoRoot } from '../../test/support/paths.ts';
import { RESULTS, readRows } from './sources/rows.ts';

/** What no bench measures. */
const UNMEASURED = [
  'src/cli',
  'src/hub',
  'src/report',
  'src/serve',
  'formats/peft',
  'formats/pytorch',
  'formats/webgpu/page',
];
/** Code that all benches but those of `ONLY` measure. */
const ALL = ['src', 'formats', 'calibration'];
/** What some benches are about, of which all else decides little. */
const ONLY: Readonly<Record<string, readonly string[]>> = {
  webgpu: ['src/webgpu', 'formats/webgpu'],
  onnx: ['formats/onnx'],
};

/** A line for each set of recorded rows whose code has changed since: results, commit, and how many files. */
export function staleRows(): readonly string[] {
  const names = readdirSync(path.join(repoRoot, RESULTS))
    .filter((file) => file.endsWith('.csv'))
    .map((file) => path.basename(file, '.csv'));
  return names.flatMap((name) => {
    const measuredAt = new Map(readRows(name).map(({ commit, date }) => [commit, date]));
    return [...measuredAt].flatMap(([commit, date]) => {
      const files = changedFiles(commit.replace(/-dirty$/, ''), ONLY[name] ?? ALL);
      const rows = `${RESULTS}/${name}.csv, rows of ${date} (${commit})`;
      if (files === undefined) return [`${rows}: this clone does not have the commit`];
      return files === 0 ? [] : [`${rows}: ${files} files that they measured have changed since`];
    });
  });
}

/** How many of them differ from a commit; undefined where it is not known. */
function changedFiles(commit: string, folders: readonly string[]): number | undefined {
  const argv = [
    'diff',
    '--name-only',
    commit,
    '--',
    ...folders,
    ...UNMEASURED.map((folder) => `:!${folder}`),
  ];
  try {
    const list = execFileSync('git', argv, {
      cwd: repoRoot,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return list.split('\n').filter(Boolean).length;
  } catch {
    return undefined;
  }
}
