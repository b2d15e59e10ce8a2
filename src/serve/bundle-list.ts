import { createHash } from 'node:crypto';
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { escapeHtml } from '../core/text/html-text.ts';

const MANIFEST = 'manifest.json';

/** Whether `folder` is a bundle. */
export function isBundle(folder: string): boolean {
  return existsSync(path.join(folder, MANIFEST));
}

/**
 * Names of the bundles in `folder`, sorted. Those that a link leads out to are not served, so they do not
 * count.
 */
export function bundlesIn(folder: string): string[] {
  const root = realpathSync(folder) + path.sep;
  return readdirSync(folder)
    .filter((name) => {
      const inside = path.join(folder, name);
      const isShown = !name.startsWith('.') && isBundle(inside);
      return isShown && realpathSync(path.join(inside, MANIFEST)).startsWith(root);
    })
    .sort();
}

const STYLE = `
body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; }
ul { list-style: none; padding: 0; }
a { display: block; padding: 0.6rem 0.9rem; margin: 0.5rem 0; border: 1px solid #8886; border-radius: 0.5rem; color: inherit; text-decoration: none; overflow-wrap: anywhere; }
a:hover, a:focus-visible { border-color: currentColor; }
`;

/** The content security policy of the list: it may load nothing but its own inline style. */
export const LIST_POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'`;

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
<title>plmpress: bundles</title>
<style>${STYLE}</style>
<h1>Bundles</h1>
<ul>
${items.join('')}</ul>
</html>
`;
}
