import assert from 'node:assert/strict';
import test from 'node:test';
import { parseCard } from '../../../formats/hf/card.ts';
import { guardTime } from '../../support/drivers/guard-time.ts';

const card = (...lines: string[]) => parseCard(['---', ...lines, '---', '# Title'].join('\n'));

test('reads scalars and lists of the front matter', () => {
  assert.deepEqual(
    card(
      'license: apache-2.0',
      'license_name: "a licence: with a colon"',
      "license_link: 'LICENSE'  ",
      'base_model: PLM-Team/PLM-1.8B-Base # the base',
      'tags:',
      '- plm',
      '  - mla',
      'language: [en, "zh", no]',
      'datasets:',
      '  # none worth a line',
      '  - org/one',
      'widget:',
      '  - text: hello',
    ),
    {
      license: 'apache-2.0',
      licenseName: 'a licence: with a colon',
      licenseLink: 'LICENSE',
      baseModels: ['PLM-Team/PLM-1.8B-Base'],
      tags: ['plm', 'mla'],
      languages: ['en', 'zh', 'no'],
      datasets: ['org/one'],
    },
  );
});

test('reads lines that end as on Windows', () => {
  assert.deepEqual(parseCard('---\r\nlicense: mit\r\ntags:\r\n- a\r\n---\r\n'), {
    license: 'mit',
    tags: ['a'],
  });
});

// biome-ignore format: rows of a table
const IGNORED: readonly (readonly [name: string, text: string])[] = [
  ['no front matter', '# Title\nlicense: mit\n'],
  ['front matter that does not end', '---\nlicense: mit\n'],
  ['front matter that starts later', '\n---\nlicense: mit\n---\n'],
  ['nested key', '---\nmodel-index:\n  license: mit\n---\n'],
  ['paths of a machine', '---\nbase_model: /srv/alice/plm\nlicense_link: "C:/x"\ndatasets:\n- ~/texts\ntags: [./x]\n---\n'],
  ['null', '---\nlicense: null\nbase_model: ~\nlanguage:\n---\n'],
  ['mapping', '---\nlicense: {name: mit}\ntags:\n- name: x\n---\n'],
  ['anchor, alias, tag and block', '---\nlicense: &a mit\nlicense_name: *a\nlicense_link: !!str x\ntags: |\n  a\n---\n'],
  ['quote that does not end', '---\nlicense: "mit\n---\n'],
  ['escape in quotes', '---\nlicense: "m\\u0069t"\n---\n'],
  ['control character', '---\nlicense: mit\x1b[2J\n---\n'],
  ['value that is too long', `---\nlicense: ${'x'.repeat(257)}\n---\n`],
  ['key of prototypes', '---\n__proto__: x\n---\n'],
];

test('leaves out what is not a plain value', async (t) => {
  for (const [name, text] of IGNORED) await t.test(name, () => assert.deepEqual(parseCard(text), {}));
});

test('takes no longer for hostile text', () => {
  const assertLinear = guardTime();
  const gap = ' '.repeat(300_000);
  for (const line of [
    `a: x${gap}y`,
    `a:${gap}x`,
    `- ${gap}x`,
    `${gap}- x`,
    `a: [${gap}`,
    `a: "${gap}`,
    'a:\n- x\n'.repeat(100_000),
  ]) {
    parseCard(`---\n${line}\n---\n`);
  }
  assertLinear();
});
