import assert from 'node:assert/strict';
import test from 'node:test';
import { renderFacts, renderTable } from '../../../src/cli/ui/terminal/table.ts';

test('columns are as wide as their widest cell, numbers stand on the right, lines end with their text', () => {
  const lines = renderTable(
    [{ header: 'name' }, { header: 'bytes', align: 'right' }, { header: 'note' }],
    [
      ['a', '1', ''],
      ['longer', '1,234,567', 'x'],
    ],
  );
  assert.deepEqual(lines, ['name        bytes  note', 'a               1', 'longer  1,234,567  x']);
});

test('a table without rows is its header, and only the header is styled', () => {
  assert.deepEqual(
    renderTable([{ header: 'a' }], [], (line) => `<${line}>`),
    ['<a>'],
  );
  assert.deepEqual(
    renderTable([{ header: 'a' }], [['b']], (line) => `<${line}>`),
    ['<a>', 'b'],
  );
});

test('widths are those of a terminal, where wide characters take two columns', () => {
  const rows = [
    ['模型.gguf', '1'],
    ['ﾓﾃﾞﾙ.gguf', '2'],
    ['e\u0301.gguf', '3'],
    ['👧.gguf', '4'],
    ['한글.gguf', '5'],
  ];
  assert.deepEqual(renderTable([{ header: 'file' }, { header: 'b' }], rows), [
    'file       b',
    '模型.gguf  1',
    'ﾓﾃﾞﾙ.gguf  2',
    'e\u0301.gguf     3',
    '👧.gguf    4',
    '한글.gguf  5',
  ]);
});

test('facts have their values in one column', () => {
  assert.deepEqual(
    renderFacts([
      ['a', '1'],
      ['long', '2'],
    ]),
    ['a     1', 'long  2'],
  );
});
