import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Lineage } from '../../src/pipeline/artifacts/lineage.ts';
import { renderMarkdown } from '../../src/report/markdown.ts';
import { renderPage } from '../../src/report/page.ts';
import type { Report } from '../../src/report/panel.ts';
import { sweepSection } from '../../src/report/sweep-section.ts';
import { verificationSection } from '../../src/report/verification-section.ts';
import { SMALL_PLM } from '../support/builders/hollow-model.ts';
import { sweepPoint } from '../support/builders/sweep-point.ts';
import { verificationOf, worstPosition } from '../support/builders/verification.ts';

const HASH = 'ab'.repeat(32);
/** Ends scripts, styles, attributes, tables and code, and moves the cursor and the direction of text. */
const HOSTILE =
  '</script></style><img src=x onerror=alert(1)>"\' x=\'" | `a` **b** [c](http://d) ![e](f) @g www.h\n\n# i\u202e\x1b[2J\\';

function lineageOf(text: string): Lineage {
  const source = { format: text, name: text, files: [{ name: text, bytes: 1, sha256: HASH }] };
  return {
    source: { ...source, origin: { repository: text, revision: text } },
    artifact: source,
    record: {
      target: text,
      version: text,
      source,
      options: { [text]: text },
      passes: [text],
      changes: [],
      fallbacks: [],
      tensors: [],
      files: [text],
    },
    texts: [{ name: text, bytes: 1, sha256: HASH }],
  };
}

/** A report in which all that a model or a file can say is `text`. */
function reportOf(text: string): Report {
  const { tensors, ...verification } = verificationOf(SMALL_PLM, {
    passed: false,
    failures: [text],
    worst: [worstPosition(text), worstPosition(text, Infinity)],
  });
  const named = { ...verification, tensors: tensors.map((tensor) => ({ ...tensor, name: text })) };
  return {
    title: text,
    version: '1.2.3',
    sections: [
      verificationSection(text, named, lineageOf(text)),
      sweepSection(text, [sweepPoint(100, 0.1), sweepPoint(200, 0.01)], lineageOf(text), [[text, text]]),
    ],
  };
}

const tagsOf = (page: string) => [...page.matchAll(/<\/?[a-z][^\s>]*/gi)].map(([tag]) => tag);

describe('a page', () => {
  it('has no element that a name brings, and as many as without it', () => {
    const tags = tagsOf(renderPage(reportOf(HOSTILE)));
    assert.deepEqual(tags, tagsOf(renderPage(reportOf('x'.repeat(HOSTILE.length)))));
    for (const tag of ['<script', '<img', '<iframe', '<object', '<form', '<base', '<a'])
      assert.ok(!tags.includes(tag), tag);
  });

  it('shows control characters and keeps their effect out', () => {
    const page = renderPage(reportOf(HOSTILE));
    assert.ok(!page.includes('\u202e') && !page.includes('\x1b'));
    assert.ok(page.includes('\\u{202e}\\u{1b}[2J\\\\'));
    assert.ok(page.includes('\\n\\n# i'));
  });

  it('has attributes that names cannot leave', () => {
    const page = renderPage(reportOf('" onload="alert(1)'));
    const names = [...page.matchAll(/<[a-z][^>]*>/g)].map(([tag]) => tag.replaceAll(/"[^"]*"/g, ''));
    assert.deepEqual(
      names.filter((tag) => tag.includes('onload')),
      [],
    );
  });

  it('forbids scripts and requests by its policy, before anything else', () => {
    const head = renderPage(reportOf('x')).split('<title>')[0]!;
    assert.match(
      head,
      /<meta http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;; style-src/,
    );
    assert.doesNotMatch(renderPage(reportOf('x')), /https?:\/\//);
  });

  it('is the same for the same findings', () => {
    assert.equal(renderPage(reportOf(HOSTILE)), renderPage(reportOf(HOSTILE)));
  });

  it('holds numbers only where numbers belong', () => {
    const page = renderPage(reportOf('x'));
    for (const [, name, value] of page.matchAll(/ (x|y|x1|x2|y1|y2|cx|cy|width|height)="([^"]*)"/g)) {
      assert.ok(Number.isFinite(Number(value)), `${name}="${value}"`);
    }
  });
});

describe('Markdown', () => {
  it('has the same tables, lines and fences whatever names say', () => {
    const structure = (text: string) =>
      renderMarkdown(reportOf(text))
        .split('\n')
        .map((line) => /^(?:#+ |\| |- |```| {4}|<\/?details>|$)/.exec(line)?.[0] ?? 'text');
    assert.deepEqual(structure(HOSTILE), structure('x'.repeat(HOSTILE.length)));
  });

  it('has rows of as many cells as their table has columns', () => {
    let columns = 0;
    for (const line of renderMarkdown(reportOf(HOSTILE)).split('\n')) {
      const cells = line.startsWith('|') ? line.split('|').length : 0;
      if (cells > 0 && columns > 0) assert.equal(cells, columns, line);
      columns = cells;
    }
  });

  it('leaves nothing in a name that means something', () => {
    const markdown = renderMarkdown(reportOf(HOSTILE));
    assert.doesNotMatch(markdown, /<img|<\/script|\[c\]|`a`|\*\*b|http:|@g|www\.h/);
    assert.ok(!markdown.includes('\u202e') && !markdown.includes('\x1b'));
    assert.ok(markdown.includes('&#60;img src=x onerror=alert(1)&#62;'));
  });

  it('does not say that an artifact passed whose KLD had no limit', () => {
    const section = verificationSection(
      'x',
      verificationOf(SMALL_PLM, { maxKld: undefined }),
      lineageOf('x'),
    );
    const markdown = renderMarkdown({ title: 'x', version: '1.2.3', sections: [section] });
    assert.doesNotMatch(markdown, /passed|Matches its source/);
    assert.match(markdown, /tokenizer pass; its divergence was measured without a limit, over 600 tokens/);
    assert.match(markdown, /nats per token, no limit/);
  });

  it('has charts and leaves numbers as they are', () => {
    const markdown = renderMarkdown(reportOf('x'));
    assert.equal(markdown.match(/^```mermaid$/gm)!.length, 4);
    assert.match(markdown, /^ {2}y-axis "positions" 0 --> \d+\n {2}bar \[(\d+(, )?)+\]$/m);
    assert.match(markdown, /\| top-1 agreement \| 96\.00 % \|/);
  });
});
