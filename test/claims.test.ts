import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { documents, figuresOf, measured, mismatch, nameOf, sourceOf } from '../bench/claims/check.ts';
import { readFigures } from '../bench/claims/figures.ts';
import { holds, MAX_TOLERANCE } from '../bench/claims/source.ts';
import { readRows } from '../bench/claims/sources/rows.ts';

/** The figure times `factor`, with as many decimals as the document has. */
function edited(figure: string, factor: number): string {
  const [, { length: decimals } = ''] = /\.(\d+)/.exec(figure) ?? [];
  const value = factor * Number(figure.replaceAll(',', ''));
  return /e/i.test(figure) ? value.toExponential(decimals) : value.toFixed(decimals);
}

for (const document of documents()) {
  describe(`figures of ${document}`, () => {
    const { marks, loose } = figuresOf(document);

    it('have a source', () => {
      assert.deepEqual(
        loose.map(({ text, line }) => `${document}:${line}: ${text}`),
        [],
      );
    });

    for (const mark of marks) {
      const { slow, tolerance } = sourceOf(mark);
      it(`line ${mark.line}: ${nameOf(mark)}`, async () => {
        assert.ok(tolerance <= MAX_TOLERANCE);
        assert.ok(mark.figures.length > 0, 'no figure before it');
        if (slow !== undefined) return assert.equal(mark.figures.length, slow);
        const values = await measured(mark);
        assert.equal(mismatch(mark, values), undefined);
        // What is edited by a tenth does not pass, but where the last digit is as large as that.
        for (const [index, value] of values.entries()) {
          const { text } = mark.figures[index]!;
          for (const factor of [0.9, 1.1]) {
            const other = edited(text, factor);
            if (Number(other) === Number(text.replaceAll(',', ''))) continue;
            assert.ok(!holds(other, value, tolerance), `${text} edited to ${other}`);
          }
        }
      });
    }
  });
}

describe('what counts as a figure', () => {
  const held = (markdown: string) =>
    readFigures(markdown).marks.map(({ figures }) => figures.map(({ text }) => text));
  const loose = (markdown: string) => readFigures(markdown).loose.map(({ text, line }) => [line, text]);

  it('is a number without a mark after it, in a sentence, an item or a cell', () => {
    assert.deepEqual(
      loose('It takes 5 s,\nor 1,024 MB.\n\n- 6.9e-5 nats\n\n| a | 37 % |\n|---|---|\n| b | **0.24** |'),
      [
        [1, '5'],
        [2, '1,024'],
        [4, '6.9e-5'],
        [6, '37'],
        [8, '0.24'],
      ],
    );
    assert.deepEqual(loose('a stray ` and 5 s\n\nor ` 6 s'), [
      [1, '5'],
      [3, '6'],
    ]);
    assert.deepEqual(loose('takes 5s<!-- a comment, 7 --> and 4.5x'), [
      [1, '5'],
      [1, '4.5'],
    ]);
  });

  it('is none in code, in an address or in a name', () => {
    const text =
      '`--tokens 2048` of PLM-1.8B in Q4_0, F16 or `q4_0`, [scale](scale.md#v2), https://a.b/9, Node 20.19, version 3,\n' +
      'exit code 6, 8 bits, blocks of SHA-256, v0.5.0, arXiv 2503.12167, May 2026, plm-1.8b\n\n```sh\nsleep 9\n```\n\n1. One\n';
    assert.deepEqual(loose(text), []);
  });

  it('belongs to the next mark of its block and to no mark behind that', () => {
    assert.deepEqual(
      held('1 of 2<!-- = a b --> and 3<!-- = c -->\n\n| 4 | 5<!-- = d --> |\n| 6<!-- = e --> |'),
      [['1', '2'], ['3'], ['4', '5'], ['6']],
    );
    assert.deepEqual(loose('A 1\n\nB 2<!-- = a -->, 3\n- C 4\n- D 5<!-- = b -->'), [
      [1, '1'],
      [3, '3'],
      [4, '4'],
    ]);
    const [mark] = readFigures('7<!-- = size gguf:q4_0 arch=plm -->').marks;
    assert.deepEqual([mark!.source, mark!.args], ['size', ['gguf:q4_0', 'arch=plm']]);
  });
});

it('figures hold within their last digit', () => {
  assert.ok(holds('1.19', 1.1949, 0) && !holds('1.19', 1.1957, 0));
  assert.ok(holds('327,680', 327_680, 0) && !holds('327,680', 327_681, 0));
  assert.ok(holds('6.9e-5', 6.86e-5, 0) && !holds('6.9e-5', 7.0e-5, 0));
  assert.ok(holds('100', 104, 0.05) && !holds('100', 107, 0.05));
  assert.ok(!holds('1', Number.NaN, 0));
});

describe('a recorded row', () => {
  for (const name of ['best', 'onnx', 'prune', 'quality', 'quantize', 'scale', 'webgpu']) {
    it(`of ${name} has the date and the commit of what was measured`, () => {
      for (const { date, commit } of readRows(name)) {
        assert.match(date, /^\d{4}-\d\d-\d\d$/);
        assert.match(commit, /^[0-9a-f]{10}(-dirty)?$/);
      }
    });
  }
});
