import assert from 'node:assert/strict';
import test from 'node:test';
import { renderFacts, renderTable } from '../../../src/cli/ui/table.ts';

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

test('widths count characters, not UTF-16 units', () => {
  assert.deepEqual(renderTable([{ header: '😀' }, { header: 'b' }], [['c', 'd']]), ['😀  b', 'c  d']);
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
