import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { escapeHtml } from '../core/html-text.ts';

const MANIFEST = 'manifest.json';

/** Whether `folder` is a bundle. */
export function isBundle(folder: string): boolean {
  return existsSync(path.join(folder, MANIFEST));
}

/** Names of the bundles in `folder`, sorted. */
export function bundlesIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => !name.startsWith('.') && isBundle(path.join(folder, name)))
    .sort();
}

/** A page that links to the bundles. */
export function listPage(names: readonly string[]): string {
  const items = names.map(
    (name) => `<li><a href="${encodeURIComponent(name)}/">${escapeHtml(name)}</a></li>\n`,
  );
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Bundles</title>
<h1>Bundles</h1>
<ul>
${items.join('')}</ul>
</html>
`;
}
