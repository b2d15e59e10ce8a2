import type { ModelCard } from '../../src/core/model.ts';
import { holdsLocalPath } from '../../src/core/text/local-path.ts';

/** Longest value worth carrying into an artifact; licences, ids and tags are far shorter. */
const MAX_VALUE_LENGTH = 256;

/**
 * Reads the YAML front matter of a model card (README.md) as far as a conversion needs it: top-level scalars
 * and lists of scalars. What is more than that, or malformed, is left out: a card is prose by people, and no
 * prose makes a model invalid.
 */
export function parseCard(text: string): ModelCard {
  const fields = frontMatter(text);
  const scalar = (key: string) => fields.get(key)?.[0];
  const card = {
    license: scalar('license'),
    licenseName: scalar('license_name'),
    licenseLink: scalar('license_link'),
    baseModels: fields.get('base_model'),
    tags: fields.get('tags'),
    languages: fields.get('language'),
    datasets: fields.get('datasets'),
  };
  return Object.fromEntries(Object.entries(card).filter(([, value]) => value !== undefined));
}

/** Top-level keys between the two `---` lines; a scalar counts as a list of one. */
function frontMatter(text: string): Map<string, readonly string[]> {
  const fields = new Map<string, string[]>();
  const lines = text.split(/\r?\n/);
  const end = lines.indexOf('---', 1);
  if (lines[0] !== '---' || end < 0) return fields;
  let list: string[] | undefined;
  for (const line of lines.slice(1, end).map(withoutComment)) {
    const item = /^ *- +(.*)$/.exec(line)?.[1];
    const [, key, rest = ''] = /^([A-Za-z_][\w-]*): *(.*)$/.exec(line) ?? [];
    if (item !== undefined) list?.push(...scalars(item));
    else if (key !== undefined) {
      list = rest === '' ? [] : undefined;
      fields.set(key, list ?? inlineValues(rest));
    } else if (line !== '') list = undefined;
  }
  for (const [key, values] of fields) if (values.length === 0) fields.delete(key);
  return fields;
}

function withoutComment(line: string): string {
  // A # inside quotes starts none; the rest of such a line is malformed and left out.
  const at = line.startsWith('#') ? 0 : line.indexOf(' #');
  return (at < 0 ? line : line.slice(0, at)).trimEnd();
}

function inlineValues(rest: string): string[] {
  const list = /^\[(.*)\]$/.exec(rest)?.[1];
  return list === undefined ? scalars(rest) : list.split(',').flatMap((item) => scalars(item.trim()));
}

/**
 * The scalar that `text` spells, or nothing where it is empty, null, a mapping, a reference, a block or a
 * path of its maker's machine.
 */
function scalars(text: string): string[] {
  const quoted = /^"([^"\\]*)"$|^'([^']*)'$/.exec(text);
  const isPlain = /^[^\s"'#&*!|>{}[\]%@`]/.test(text) && !/: |:$/.test(text) && !NULLS.has(text);
  const value = quoted ? (quoted[1] ?? quoted[2] ?? '') : isPlain ? text : '';
  const isLeftOut = value.length > MAX_VALUE_LENGTH || /\p{Cc}/u.test(value) || holdsLocalPath(value);
  return value === '' || isLeftOut ? [] : [value];
}

const NULLS: ReadonlySet<string> = new Set(['~', 'null', '-']);
