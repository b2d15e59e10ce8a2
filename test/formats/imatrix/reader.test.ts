import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { layoutGguf } from '../../../formats/gguf/container/writer.ts';
import { readImatrix } from '../../../src/pipeline/sources/read-imatrix.ts';
import {
  type DatField,
  datBytes,
  datFields,
  type GgufTensor,
  IMATRIX_KEYS,
  imatrixGguf,
  imatrixTensors,
  type Statistics,
} from '../../support/builders/imatrix-files.ts';
import { pressFailure } from '../../support/press-failure.ts';
import { assertRejects, type Rejection } from '../../support/rejects.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/** The sums of the second round when they are divided. */
const STATISTICS: Statistics = {
  'blk.0.attn_q.weight': { sums: [8, 0, 2, 4], count: 4 },
  'blk.0.ffn_up.weight': { sums: [1, 0.1], count: 3 },
};
const MEANS = new Map([
  ['blk.0.attn_q.weight', Float32Array.of(2, 0, 0.5, 1)],
  ['blk.0.ffn_up.weight', Float32Array.of(1 / 3, Math.fround(0.1) / 3)],
]);
const TENSORS = imatrixTensors(STATISTICS);
const FIELDS = datFields(STATISTICS);
const BLANK: Statistics = {
  'blk.0.attn_q.weight': { sums: [0, 0], count: 0 },
  'blk.0.ffn_up.weight': { sums: [0, 0], count: 9 },
  'blk.0.ffn_down.weight': { sums: [0, 3], count: 1 },
};

function written(t: TestContext, bytes: Uint8Array, name = 'plm.imatrix'): string {
  const file = path.join(temporaryFolder(t), name);
  writeFileSync(file, bytes);
  return file;
}

describe('an importance matrix', () => {
  it('in GGUF form gives mean squares by matrix, and says where it comes from', async (t) => {
    const bytes = imatrixGguf([...TENSORS, { name: 'blk.0.attn_q.weight.in_sum', values: [1], shape: [1] }]);
    assert.deepEqual(await readImatrix(written(t, bytes)), {
      name: 'plm.imatrix',
      sha256: createHash('sha256').update(bytes).digest('hex'),
      entries: MEANS,
      datasets: ['calibration.txt'],
      chunks: 7,
      notes: [],
    });
  });

  const TAILS: readonly (readonly [what: string, tail: DatField[], chunks?: number, datasets?: string[]])[] =
    [
      ['without a tail', []],
      ['with a number of chunks', [5], 5],
      ['with an empty data set', [5, 0], 5],
      ['with a data set', [5, 10, 'D:\\x\\a.txt'], 5, ['a.txt']],
    ];
  for (const [what, tail, chunks, datasets = []] of TAILS) {
    it(`in the form before 2025 ${what} gives the same`, async (t) => {
      const imatrix = await readImatrix(written(t, datBytes([...FIELDS, ...tail])));
      assert.deepEqual(imatrix.entries, MEANS);
      assert.deepEqual([imatrix.chunks, imatrix.datasets], [chunks, datasets]);
    });
  }

  it('of experts divides each part by its own count', async (t) => {
    const bytes = imatrixGguf([
      { name: 'w.in_sum2', values: [2, 4, 8, 9], shape: [2, 2] },
      { name: 'w.counts', values: [2, 0], shape: [2, 1] },
    ]);
    const { entries } = await readImatrix(written(t, bytes));
    assert.deepEqual(entries, new Map([['w', Float32Array.of(1, 2, 1, 1)]]));
  });

  it('whose sums vanish when they are divided counts as one that has seen nothing', async (t) => {
    const bytes = imatrixGguf(imatrixTensors({ w: { sums: [1.4e-45, 0], count: 1000 } }));
    const { entries, notes } = await readImatrix(written(t, bytes));
    assert.deepEqual(entries, new Map([['w', Float32Array.of(1, 1)]]));
    assert.equal(notes.length, 1);
  });

  for (const [form, bytes] of [
    ['GGUF form', imatrixGguf(imatrixTensors(BLANK))],
    ['the form before 2025', datBytes(datFields(BLANK))],
  ] as const) {
    it(`in ${form} that has seen no activations weighs columns alike, and says so`, async (t) => {
      const { entries, notes } = await readImatrix(written(t, bytes));
      assert.deepEqual(
        [...entries.values()],
        [
          [1, 1],
          [1, 1],
          [0, 3],
        ].map((row) => Float32Array.from(row)),
      );
      const names = 'blk.0.attn_q.weight, blk.0.ffn_up.weight';
      assert.deepEqual(notes, [
        `plm.imatrix: 2 entries have seen no activations, so all columns weigh the same in ${names}`,
      ]);
    });
  }
});

/** Fields of the form before 2025 with one replaced. */
const spoiled = (index: number, field: DatField) => datBytes(FIELDS.with(index, field));
const [NAME_LENGTH, CALLS, COUNT, VALUES] = [1, 3, 4, 5] as const;
/** The GGUF form with tensors or keys replaced. */
const tensors = (...changed: GgufTensor[]) => imatrixGguf(changed);
const keys = (changes: object) => imatrixGguf(TENSORS, { ...IMATRIX_KEYS, ...changes });
const without = (key: string) => {
  const { [key]: _, ...rest } = IMATRIX_KEYS;
  return imatrixGguf(TENSORS, rest);
};

const DAT_ERRORS: readonly (readonly [what: string, bytes: Uint8Array, message: RegExp])[] = [
  ['an empty file', new Uint8Array(), /header: at byte 0: the file ends in the number of entries/],
  ['two bytes', new Uint8Array(2), /ends in the number of entries, got 2, expected 4 bytes more$/],
  ['no entries', spoiled(0, 0), /number of entries, got 0, expected 1 to/],
  ['entries below zero', spoiled(0, -1), /number of entries, got -1/],
  ['more entries than fit', spoiled(0, 2 ** 31 - 1), /number of entries, got 2147483647, expected 1 to \d$/],
  ['one entry more than there are', spoiled(0, 3), /entry\[2\]: at byte 90: .* the length of the name/],
  ['one entry less than there are', spoiled(0, 1), /tail: at byte \d+: /],
  ['a name length below zero', spoiled(NAME_LENGTH, -1), /entry\[0\]: at byte 4: length of the name, got -1/],
  [
    'a name length of 2^31 - 1',
    spoiled(NAME_LENGTH, 2 ** 31 - 1),
    /length of the name, got 2147483647, .* 63$/,
  ],
  ['an empty name', datBytes(FIELDS.toSpliced(NAME_LENGTH, 2, 0)), /length of the name, got 0/],
  [
    'a name that is no UTF-8',
    datBytes(FIELDS).fill(0xff, 8, 9),
    /entry\[0\]: at byte 8: the name is not UTF-8/,
  ],
  ['a name twice', datBytes([2, ...FIELDS.slice(1, 6), ...FIELDS.slice(1, 6)]), /is in the file twice$/],
  [
    'calls below zero',
    spoiled(CALLS, -4),
    /entry\[0\] "blk\.0\.attn_q\.weight": at byte 27: number of calls/,
  ],
  ['no values', spoiled(COUNT, 0), /number of values, got 0, expected 1 to/],
  ['values below zero', spoiled(COUNT, -1), /number of values, got -1, expected 1 to/],
  [
    'values beyond the file',
    spoiled(COUNT, 2 ** 31 - 1),
    /number of values, got 2147483647, expected 1 to \d+$/,
  ],
  [
    'one value more than the file has',
    datBytes([1, 1, 'w', 1, 3, [1, 1]]),
    /entry\[0\] "w": at byte 13: number of values, got 3, expected 1 to 2$/,
  ],
  [
    'more entries than any model has tensors',
    Buffer.concat([datBytes([100_001]), Buffer.alloc(2_000_000)]),
    /number of entries, got 100001, expected 1 to 100000$/,
  ],
  ['an infinite sum', spoiled(VALUES, [1, Infinity, 1, 1]), /attn_q\.weight: sums\[1\]: value, got Infinity/],
  ['a sum that is no number', spoiled(VALUES, [1, 1, Number.NaN, 1]), /: sums\[2\]: value, got NaN/],
  [
    'a sum below zero',
    spoiled(VALUES, [1, 1, 1, -1]),
    /: sums\[3\]: value, got -1, expected a finite number/,
  ],
  ['a tail of two bytes', Buffer.concat([datBytes(FIELDS), Buffer.alloc(2)]), /ends in the number of chunks/],
  ['chunks below zero', datBytes([...FIELDS, -1]), /tail: at byte \d+: number of chunks, got -1/],
  ['a data set beyond the file', datBytes([...FIELDS, 1, 9, 'a']), /length of the data set, got 9/],
  ['bytes after the data set', datBytes([...FIELDS, 1, 1, 'ab']), /bytes after the end, got 1$/],
  ['a Git LFS pointer', Buffer.from('version https://git-lfs.github.com/spec/v1\n'), /run git lfs pull$/],
  ['text', Buffer.from('Call me Ishmael. '.repeat(9)), /number of entries/],
];

const GGUF_ERRORS: readonly (readonly [what: string, bytes: Uint8Array, message: RegExp])[] = [
  ['no tensors', imatrixGguf([]), /^plm\.imatrix: no entries$/],
  [
    'another type',
    keys({ 'general.type': { type: 'string', value: 'model' } }),
    /kv\[0\] "general\.type": type/,
  ],
  ['no type', without('general.type'), /"general\.type": missing$/],
  ['no data sets', without('imatrix.datasets'), /"imatrix\.datasets": missing$/],
  ['no chunk count', without('imatrix.chunk_count'), /"imatrix\.chunk_count": missing$/],
  ['no chunk size', without('imatrix.chunk_size'), /"imatrix\.chunk_size": missing$/],
  [
    'a chunk count that is text',
    keys({ 'imatrix.chunk_count': { type: 'string', value: '7' } }),
    /kv\[2\] "imatrix\.chunk_count": value type, got "string", expected u32$/,
  ],
  ['sums without counts', tensors(TENSORS[0]!), /tensor "blk\.0\.attn_q\.weight\.counts": missing$/],
  ['counts without sums', tensors(TENSORS[1]!), /tensor "blk\.0\.attn_q\.weight\.in_sum2": missing$/],
  [
    'sums in halves',
    tensors({ ...TENSORS[0]!, values: [1, 1], scheme: 'F16' }, TENSORS[1]!),
    /tensor "blk\.0\.attn_q\.weight\.in_sum2": ggml type, got 1, expected F32$/,
  ],
  [
    'counts that do not divide the sums',
    tensors(TENSORS[0]!, { ...TENSORS[1]!, values: [1, 1, 1], shape: [3] }),
    /tensor "blk\.0\.attn_q\.weight\.counts": shape/,
  ],
  [
    'a count below zero',
    tensors(TENSORS[0]!, { ...TENSORS[1]!, values: [-1] }),
    /attn_q\.weight: counts\[0\]: value, got -1/,
  ],
  [
    'a count so small that means overflow',
    tensors(TENSORS[0]!, { ...TENSORS[1]!, values: [1e-45] }),
    /attn_q\.weight: means\[0\]: value, got Infinity/,
  ],
  [
    'data that is cut off',
    imatrixGguf(TENSORS).subarray(0, -64),
    /tensor\[\d\] .*beyond the end of the file/,
  ],
];

describe('an importance matrix is refused (exit 3) for', () => {
  for (const [what, bytes, message] of [...DAT_ERRORS, ...GGUF_ERRORS]) {
    it(what, async (t) => {
      const file = written(t, bytes);
      await assertRejects(path.dirname(file), () => readImatrix(file), { message });
    });
  }

  it('more bytes than any has', async (t) => {
    const file = written(t, new Uint8Array());
    truncateSync(file, 2 ** 40);
    await assert.rejects(readImatrix(file), pressFailure('invalid-input', /^plm\.imatrix: too large/));
  });

  it('more importances than any has', async (t) => {
    const name = 'blk.0.attn_q.weight';
    const { header, bytes } = layoutGguf(Object.entries(IMATRIX_KEYS), [
      { name: `${name}.in_sum2`, shape: [1, 2 ** 26], scheme: 'F32' },
      { name: `${name}.counts`, shape: [1, 1], scheme: 'F32' },
    ]);
    const file = written(t, header);
    truncateSync(file, bytes);
    const what = /^plm\.imatrix: too large, got 268435460, expected at most 268435456 bytes of importances$/;
    await assert.rejects(readImatrix(file), pressFailure('invalid-input', what));
  });

  const PLACES: readonly (readonly [what: string, place: string, expected: Rejection])[] = [
    ['a folder', '.', { message: /not a regular file$/ }],
    ['nothing', 'no-such.dat', { failure: 'local-io', message: /no-such\.dat: no such file/ }],
  ];
  for (const [what, place, expected] of PLACES) {
    it(what, async (t) => {
      const folder = temporaryFolder(t);
      await assertRejects(folder, () => readImatrix(path.join(folder, place)), expected);
    });
  }
});
