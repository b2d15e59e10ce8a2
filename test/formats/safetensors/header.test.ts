import assert from 'node:assert/strict';
import { truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { decodeHeader, headerLength, parseHeader } from '../../../formats/safetensors/header.ts';
import { readHeader } from '../../../formats/safetensors/reader.ts';
import { PressError } from '../../../src/core/errors.ts';
import { InputFile } from '../../../src/io/input-file.ts';
import { noiseSafetensors, rawSafetensors } from '../../support/builders/safetensors-builder.ts';
import { uniform } from '../../support/builders/samples.ts';
import { assertRejects, type Rejection } from '../../support/rejects.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/** An entry of the header: by default two bytes at the start of the data. */
const entry = (changes: object = {}) => ({ dtype: 'U8', shape: [2], data_offsets: [0, 2], ...changes });
const withEntry = (changes: object, data = 2) => rawSafetensors({ x: entry(changes) }, data);
const pair = (first: [number, number], second: [number, number], data: number) =>
  rawSafetensors(
    {
      x: entry({ shape: [first[1] - first[0]], data_offsets: first }),
      y: entry({ shape: [second[1] - second[0]], data_offsets: second }),
    },
    data,
  );

const ACCEPTED: readonly (readonly [name: string, content: Buffer, tensors: string[]])[] = [
  ['no tensors', rawSafetensors('{}'), []],
  ['one tensor', withEntry({}), ['x']],
  [
    'spaces before the header, as the crate accepts',
    rawSafetensors(` \n${JSON.stringify({ x: entry() })}`, 2),
    ['x'],
  ],
  ['spaces after the header', rawSafetensors(`${JSON.stringify({ x: entry() })}    `, 2), ['x']],
  ['scalar', withEntry({ shape: [], data_offsets: [0, 1] }, 1), ['x']],
  ['zero size, shape [2,0]', withEntry({ shape: [2, 0], data_offsets: [0, 0] }, 0), ['x']],
  ['zero size at the offset of another tensor', pair([0, 2], [0, 0], 2), ['y', 'x']],
  ['tensors in another order than their bytes', pair([2, 4], [0, 2], 4), ['y', 'x']],
  ['half bytes that fill whole ones', withEntry({ dtype: 'F4', shape: [4] }), ['x']],
  ['metadata', rawSafetensors({ __metadata__: { format: 'pt', 'a b': '' }, x: entry() }, 2), ['x']],
  ['name in other scripts', rawSafetensors({ 'вес.権重': entry() }, 2), ['вес.権重']],
  ['name of 256 characters', rawSafetensors({ ['n'.repeat(256)]: entry() }, 2), ['n'.repeat(256)]],
];

const text = JSON.stringify({ x: entry() });
// biome-ignore format: rows of a table
const REFUSED: readonly (readonly [name: string, content: Uint8Array, message: RegExp])[] = [
  // Length and bytes of the header.
  ['0 bytes', Buffer.alloc(0), /^model\.safetensors: header: file too short, got 0/],
  ['7 bytes', Buffer.alloc(7), /header: file too short, got 7, expected at least 8 bytes/],
  ['N = 0', rawSafetensors('', 0), /header: wrong length, got 0/],
  ['N = 0 before data', rawSafetensors('', 100), /header: wrong length, got 0, expected 1 to 100 bytes/],
  ['N = file size - 7', rawSafetensors(text, 0, BigInt(text.length + 1)), /header: wrong length, got 54, expected 1 to 53/],
  ['N = file size + 1', rawSafetensors(text, 2, BigInt(text.length + 11)), /header: wrong length/],
  ['N = 2^63', rawSafetensors(text, 2, 2n ** 63n), /header: wrong length, got 9223372036854775808/],
  ['N = 2^64 - 1', rawSafetensors(text, 2, 2n ** 64n - 1n), /header: wrong length, got 18446744073709551615/],
  ['byte 0xff in the header', rawSafetensors(Buffer.from('{"\xff":1}', 'latin1')), /header: not valid UTF-8/],
  ['header starts with 0xff', rawSafetensors(Uint8Array.of(0xff, 0x7b)), /header: not a JSON object/],
  ['byte order mark', rawSafetensors(`\ufeff${text}`, 2), /header: not a JSON object/],
  ['header []', rawSafetensors('[]'), /header: not a JSON object/],
  ['header null', rawSafetensors('null'), /header: not a JSON object/],
  ['header "x"', rawSafetensors('"x"'), /header: not a JSON object/],
  ['only spaces', rawSafetensors('        '), /header: not a JSON object/],
  ['cut JSON', rawSafetensors(text.slice(0, -1), 2), /header: line 1, column 53: not valid JSON/],
  ['NUL after the JSON', rawSafetensors(`${text}\0`, 2), /header: line 1, column 54: .*text after the end/],
  ['200,000 levels', rawSafetensors(`{"x":${'['.repeat(200_000)}`), /header: line 1, column \d+: .*nested deeper/],
  ['duplicate name, two dtypes', rawSafetensors('{"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4), /header\.x: duplicate key/],
  ['duplicate key in an entry', rawSafetensors('{"x":{"dtype":"U8","dtype":"I8","shape":[2],"data_offsets":[0,2]}}', 2), /header\.x\.dtype: duplicate key/],
  ['name __proto__', rawSafetensors(`{"__proto__":${JSON.stringify(entry())}}`, 2), /header\.__proto__: reserved key/],

  // Metadata.
  ['metadata of a number', rawSafetensors({ __metadata__: { a: 1 }, x: entry() }, 2), /header\.__metadata__\.a: wrong value, got 1, expected a string/],
  ['metadata is a string', rawSafetensors({ __metadata__: 'pt', x: entry() }, 2), /header\.__metadata__: wrong value/],
  ['metadata nested', rawSafetensors({ __metadata__: { a: { b: 'c' } }, x: entry() }, 2), /__metadata__\.a: wrong value/],

  // Names.
  ['empty name', rawSafetensors({ '': entry() }, 2), /header: tensor without a name/],
  ['name of a megabyte', rawSafetensors({ ['n'.repeat(1_000_000)]: entry() }, 2), /header: tensor name too long, got 1000000, expected at most 256/],
  ['name with a newline', rawSafetensors({ 'a\nb': entry() }, 2), /tensor "a\\nb": control character/],
  ['name with ESC', rawSafetensors({ 'a\x1b[2Jb': entry() }, 2), /tensor "a\\u001b\[2Jb": control character/],
  ['name with NUL', rawSafetensors({ 'a\0b': entry() }, 2), /tensor "a\\u0000b": control character/],
  ['name with a C1 control', rawSafetensors({ 'a\x9bb': entry() }, 2), /tensor "a\\u\{9b\}b": control character/],

  // Entries.
  ['entry is an array', rawSafetensors({ x: [] }), /header\.x: wrong value/],
  ['entry is null', rawSafetensors({ x: null }), /header\.x: wrong value/],
  ['no dtype', rawSafetensors({ x: { shape: [2], data_offsets: [0, 2] } }, 2), /tensor "x": dtype: missing/],
  ['no shape', rawSafetensors({ x: { dtype: 'U8', data_offsets: [0, 2] } }, 2), /tensor "x": shape: missing/],
  ['no data_offsets', rawSafetensors({ x: { dtype: 'U8', shape: [2] } }, 2), /tensor "x": data_offsets: missing/],
  ['fourth key', withEntry({ strides: [1] }), /tensor "x": unknown key, got "strides"/],
  ['dtype unknown', withEntry({ dtype: 'F33' }), /tensor "x": dtype: wrong value, got "F33"/],
  ['dtype in lower case', withEntry({ dtype: 'u8' }), /tensor "x": dtype: wrong value/],
  ['dtype toString', withEntry({ dtype: 'toString' }), /tensor "x": dtype: wrong value/],
  ['dtype a number', withEntry({ dtype: 8 }), /tensor "x": dtype: wrong value, got 8/],
  ['shape 1.5', withEntry({ shape: [1.5] }), /tensor "x": shape\[0\]: wrong value, got 1\.5/],
  ['shape negative', withEntry({ shape: [-2] }), /tensor "x": shape\[0\]: wrong value, got -2/],
  ['shape of strings', withEntry({ shape: ['2'] }), /tensor "x": shape\[0\]: wrong value, got "2"/],
  ['shape null', withEntry({ shape: null }), /tensor "x": shape: wrong value, got null/],
  ['shape [2, 2^63 - 1]', rawSafetensors('{"x":{"dtype":"U8","shape":[2,9223372036854775807],"data_offsets":[0,2]}}', 2), /header\.x\.shape\[1\]: integer too large to be exact, got "9223372036854775807"/],
  ['shape [2^31, 2^31]', withEntry({ shape: [2 ** 31, 2 ** 31] }), /tensor "x": shape: wrong value/],
  ['product that comes back to 0 modulo 2^64', withEntry({ shape: [2 ** 32, 2 ** 32], data_offsets: [0, 0] }, 0), /tensor "x": shape: wrong value/],
  ['bytes past 2^53', withEntry({ dtype: 'F64', shape: [2 ** 52] }), /tensor "x": shape: wrong value/],
  ['half a byte', withEntry({ dtype: 'F4', shape: [3] }), /tensor "x": shape: wrong value, got \[3\], expected whole bytes/],
  ['offsets negative', withEntry({ data_offsets: [-2, 0] }), /tensor "x": data_offsets\[0\]: wrong value, got -2/],
  ['offsets backwards', withEntry({ data_offsets: [2, 0] }), /tensor "x": data_offsets: wrong value, got \[2,0\]/],
  ['one offset', withEntry({ data_offsets: [2] }), /tensor "x": data_offsets: wrong value/],
  ['three offsets', withEntry({ data_offsets: [0, 2, 4] }), /tensor "x": data_offsets: wrong value, got \[0,2,4\], expected at most 2 items/],
  ['65 dimensions', withEntry({ shape: Array(65).fill(1), data_offsets: [0, 1] }, 1), /tensor "x": shape: wrong value, got "an array of 65 items", expected at most 64 items/],
  ['offsets 1e400', rawSafetensors('{"x":{"dtype":"U8","shape":[2],"data_offsets":[0,1e400]}}', 2), /header\.x\.data_offsets\[1\]: number out of range/],
  ['fewer bytes than the shape needs', withEntry({ shape: [3] }), /tensor "x": data_offsets: wrong value, got \[0,2\], expected 3 bytes for U8 \[3\]/],
  ['more bytes than the shape needs', withEntry({ shape: [1] }), /tensor "x": data_offsets: wrong value, got \[0,2\], expected 1 bytes/],
  ['dtype that needs more', withEntry({ dtype: 'F32' }), /expected 8 bytes for F32 \[2\]/],

  // The whole of the data.
  ['tensor past the end', withEntry({}, 1), /header: tensors end after the file, got 62, expected a file of 63 bytes/],
  ['34 trailing bytes (polyglot)', withEntry({}, 36), /header: bytes after the last tensor, got 97, expected a file of 63 bytes/],
  ['trailing bytes without tensors', rawSafetensors('{}', 1), /header: bytes after the last tensor/],
  ['first offset 4', withEntry({ data_offsets: [4, 6] }, 6), /tensor "x": data_offsets: hole before the tensor, got 4, expected 0/],
  ['hole between tensors', pair([0, 2], [3, 5], 5), /tensor "y": data_offsets: hole before the tensor, got 3, expected 2/],
  ['overlapping tensors', pair([0, 4], [2, 6], 6), /tensor "y": data_offsets: overlaps the tensor before, got 2, expected 4/],
  ['same bytes twice', pair([0, 4], [0, 4], 4), /overlaps the tensor before/],
  ['tensor inside another', pair([0, 8], [2, 4], 8), /tensor "y": data_offsets: overlaps/],
  ['zero size in the middle of another', pair([0, 4], [2, 2], 4), /tensor "y": data_offsets: overlaps/],

  // Other files under this name.
  ['zip renamed', Buffer.from('PK\x03\x04\x14\0\0\0\x08\0and more', 'latin1'), /header: this is a zip archive, as torch\.save writes as pytorch_model\.bin/],
  ['zip of PyTorch', Buffer.from('PK\x03\x04\0\0\x08\x08\0\0 archive/data.pkl', 'latin1'), /header: this is a zip archive/],
  ['pickle renamed', Buffer.from('\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.', 'latin1'), /header: this is a bare pickle, which is not read/],
  ['pickle of protocol 4', Buffer.from('\x80\x04\x95\x10\0\0\0\0\0\0\0}\x94.', 'latin1'), /header: this is a bare pickle/],
  ['GGUF renamed', Buffer.from('GGUF\x03\0\0\0\0\0\0\0\0\0\0\0', 'latin1'), /header: this is a GGUF file/],
  ['web page', Buffer.from('<!DOCTYPE html><html><title>Log in</title></html>'), /header: this is an HTML page/],
  ['zeros', Buffer.alloc(1000), /header: wrong length, got 0/],
];

async function readFile(file: string) {
  const input = await InputFile.open(file, 'model.safetensors');
  try {
    return await readHeader(input);
  } finally {
    await input.close();
  }
}

test('accepts', async (t) => {
  const file = path.join(temporaryFolder(t), 'model.safetensors');
  for (const [name, content, tensors] of ACCEPTED) {
    await t.test(name, async () => {
      writeFileSync(file, content);
      assert.deepEqual([...(await readFile(file)).tensors.keys()], tensors);
    });
  }
});

test('refuses, naming header or tensor and field', async (t) => {
  const folder = temporaryFolder(t);
  const file = path.join(folder, 'model.safetensors');
  for (const [name, content, message] of REFUSED) {
    await t.test(name, async () => {
      writeFileSync(file, content);
      await assertRejects(folder, () => readFile(file), { message });
      await assertRejects(folder, () => readFile(file), { message: /^model\.safetensors: (header|tensor)/ });
    });
  }
});

test('refuses a header of more than 100 MB without reading it', async (t) => {
  const folder = temporaryFolder(t);
  const file = path.join(folder, 'model.safetensors');
  writeFileSync(file, rawSafetensors(text, 2, 100_000_001n));
  truncateSync(file, 200_000_000);
  const expected: Rejection = {
    message: /header: wrong length, got 100000001, expected 1 to 100000000 bytes/,
  };
  await assertRejects(folder, () => readFile(file), expected);
});

test('refuses a file cut at any byte', async (t) => {
  const folder = temporaryFolder(t);
  const file = path.join(folder, 'model.safetensors');
  const { content } = noiseSafetensors(
    [
      { name: 'a', dtype: 'F32', shape: [3] },
      { name: 'b', dtype: 'BF16', shape: [2, 3] },
    ],
    1,
  );
  writeFileSync(file, content);
  await readFile(file);
  for (let size = content.length - 1; size >= 0; size--) {
    truncateSync(file, size);
    await assert.rejects(readFile(file), (error) => error instanceof PressError && error.exitCode === 3);
  }
});

test('fails only with a PressError, whatever becomes of some bytes of a header', () => {
  const { content } = noiseSafetensors(
    [
      { name: 'model.norm.weight', dtype: 'F32', shape: [16] },
      { name: 'model.embed_tokens.weight', dtype: 'F16', shape: [4, 8] },
    ],
    2,
  );
  const next = uniform(3);
  const interesting = Buffer.from('"\\{}[],:0123456789eE.-+ \0\xff', 'latin1');
  for (let round = 0; round < 5000; round++) {
    const damaged = content.slice();
    for (let i = 0; i < 1 + (round % 4); i++) {
      // Mostly in the header: the data cannot be wrong.
      damaged[Math.floor(next() * 250)] = interesting[Math.floor(next() * interesting.length)]!;
    }
    try {
      const length = headerLength(damaged, damaged.length, 'f');
      const text = decodeHeader(damaged.subarray(8, 8 + length), 'f');
      parseHeader(text, 8 + length, damaged.length, 'f');
    } catch (error) {
      if (!(error instanceof PressError)) assert.fail(`round ${round}: ${error}`);
    }
  }
});
