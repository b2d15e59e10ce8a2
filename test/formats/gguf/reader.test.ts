import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readGguf } from '../../../formats/gguf/container/reader.ts';
import { MAX_TENSOR_NAME_BYTES } from '../../../formats/gguf/container/types.ts';
import { type Failure, PressError } from '../../../src/core/errors.ts';
import {
  ggufBytes,
  memorySource,
  type RawGguf,
  type RawTensor,
  randomGguf,
  rawKey,
  text,
  u32,
  u64,
} from '../../support/builders/raw-gguf.ts';
import { pressFailure } from '../../support/press-failure.ts';

interface Row {
  readonly what: string;
  readonly spoil: (file: RawGguf) => void;
  readonly message: RegExp;
  /** invalid-input unless given. */
  readonly failure?: Failure;
}

/** Adds a key after the others. */
const withKey =
  (...key: Parameters<typeof rawKey>) =>
  (file: RawGguf) => {
    file.keys.push(rawKey(...key));
  };
/** Spoils the last tensor. */
const withTensor = (change: Partial<RawTensor>) => (file: RawGguf) => {
  Object.assign(file.tensors.at(-1)!, change);
};
const array = (items: number, count: bigint | number, ...values: Buffer[]) =>
  Buffer.concat([u32(items), u64(count), ...values]);
const nested = (depth: number): Buffer => (depth === 0 ? array(0, 0) : array(9, 1, nested(depth - 1)));
const huge: RawTensor = { name: Buffer.from('huge'), dims: [0x7fffffffffffffc0n], type: 24, offset: 0n };

const ROWS: readonly Row[] = [
  {
    what: 'magic "FUGG"',
    spoil: (file) => {
      file.magic = 'FUGG';
    },
    message: /header: at byte 0: magic, got "FUGG", expected the letters GGUF/,
  },
  {
    what: 'an all-zero header, as a killed llama-quantize leaves it',
    spoil: (file) => {
      Object.assign(file, { magic: '\0\0\0\0', version: 0, keyCount: 0n, tensorCount: 0n });
    },
    message: /magic, got "(.u0000){4}"/,
  },
  {
    what: 'version 1',
    spoil: (file) => {
      file.version = 1;
    },
    message: /at byte 4: version, got 1, expected 2 or 3/,
  },
  {
    what: 'version 4',
    spoil: (file) => {
      file.version = 4;
    },
    message: /GGUF version, got 4/,
    failure: 'unsupported',
  },
  {
    what: 'big-endian',
    spoil: (file) => {
      file.version = 0x03000000;
    },
    message: /big-endian/,
    failure: 'unsupported',
  },
  {
    what: 'n_kv = 2^64 - 1',
    spoil: (file) => {
      file.keyCount = 2n ** 64n - 1n;
    },
    message: /at byte 16: key count, got 18446744073709551615/,
  },
  {
    what: 'n_tensors = 2^64 - 1',
    spoil: (file) => {
      file.tensorCount = 2n ** 64n - 1n;
    },
    message: /at byte 8: tensor count, got 18446744073709551615/,
  },
  { what: 'an empty key', spoil: withKey('', 0, Buffer.of(1)), message: /kv\[\d+\] "": at byte \d+: key/ },
  {
    what: 'a key of invalid UTF-8',
    spoil: withKey(Buffer.of(0x61, 0x2e, 0xff), 0, Buffer.of(1)),
    message: /kv\[\d+\]: at byte \d+: the key is not UTF-8/,
  },
  { what: 'a key with a line break', spoil: withKey('a.b\n', 0, Buffer.of(1)), message: /ASCII words/ },
  {
    what: 'a key of 65,536 bytes',
    spoil: withKey(`a.${'b'.repeat(65_534)}`, 0, Buffer.of(1)),
    message: /length of the key/,
  },
  ...['__proto__', 'constructor', 'version', 'tensor_count'].map((key) => ({
    what: `key ${key}`,
    spoil: withKey(key, 4, u32(3)),
    message: new RegExp(`kv\\[\\d+\\] "${key}": at byte \\d+: key, expected ASCII words joined by dots`),
  })),
  {
    what: 'a duplicate key',
    spoil: (file) => {
      file.keys.push(file.keys[0]!);
    },
    message: /kv\[\d+\] "test\..*": at byte \d+: the key is in the file twice/,
  },
  {
    what: 'value type 13',
    spoil: withKey('a.b', 13, u64(0)),
    message: /kv\[\d+\] "a.b": .*value type, got 13/,
  },
  { what: 'boolean 7', spoil: withKey('a.b', 7, Buffer.of(7)), message: /boolean, got 7, expected 0 or 1/ },
  {
    what: 'boolean 2 in an array',
    spoil: withKey('a.b', 9, array(7, 2, Buffer.of(1, 2))),
    message: /boolean, got 2/,
  },
  {
    what: 'a string longer than the file',
    spoil: withKey('a.b', 8, u64(1n << 40n)),
    message: /kv\[\d+\] "a.b": at byte \d+: length of the string, got 1099511627776/,
  },
  {
    what: 'a string of 2^64 - 1 bytes',
    spoil: withKey('a.b', 8, u64(2n ** 64n - 1n)),
    message: /length of the string, got 18446744073709551615/,
  },
  {
    what: 'a string of invalid UTF-8',
    spoil: withKey('a.b', 8, u64(2), Buffer.of(0xc3, 0x28)),
    message: /the string is not UTF-8/,
  },
  {
    what: 'an array longer than the file',
    spoil: withKey('a.b', 9, array(4, 1n << 40n)),
    message: /array length, got 1099511627776/,
  },
  {
    what: 'an array of 2^61 u64, whose size wraps to 0',
    spoil: withKey('a.b', 9, array(10, 1n << 61n)),
    message: /array length, got 2305843009213693952/,
  },
  {
    what: 'an array of more strings than the file has room for',
    spoil: withKey('a.b', 9, array(8, 4096n)),
    message: /array length, got 4096/,
  },
  {
    what: 'five million elements',
    spoil: withKey('a.b', 9, array(0, 5_000_000, Buffer.alloc(5_000_000))),
    message: /array length, got 5000000, expected at most 4194\d{3}/,
  },
  {
    what: 'a million empty arrays in one',
    spoil: withKey('a.b', 9, array(9, 1_000_000, Buffer.alloc(12_000_000))),
    message: /array length, got 1000000, expected at most 524\d{3}$/,
  },
  { what: 'an array of type 13', spoil: withKey('a.b', 9, array(13, 1)), message: /value type, got 13/ },
  {
    what: 'arrays nested 5 deep',
    spoil: withKey('a.b', 9, nested(4)),
    message: /nested more than 4 deep/,
  },
  {
    what: 'general.alignment of type i32',
    spoil: withKey('general.alignment', 5, u32(32)),
    message: /kv\[\d+\] "general.alignment": .*value type, got "i32", expected u32/,
  },
  ...[0, 1, 4, 13, 24, 2 ** 31].map((alignment) => ({
    what: `general.alignment = ${alignment}`,
    spoil: withKey('general.alignment', 4, u32(alignment)),
    message: new RegExp(`"general.alignment": .*alignment, got ${alignment}, expected a power of two from 8`),
  })),
  {
    what: 'general.alignment = 1 in a file without tensors',
    spoil: (file) => {
      file.keys.push(rawKey('general.alignment', 4, u32(1)));
      Object.assign(file, { tensors: [], alignment: 1, dataBytes: 0 });
    },
    message: /alignment, got 1,/,
  },
  {
    what: 'a tensor name of 64 bytes',
    spoil: withTensor({ name: Buffer.alloc(MAX_TENSOR_NAME_BYTES + 1, 'n') }),
    message: /tensor\[\d+\]: at byte \d+: length of the name, got 64, expected at most 63/,
  },
  {
    what: 'an empty tensor name',
    spoil: withTensor({ name: Buffer.alloc(0) }),
    message: /tensor\[\d+\] "": .*name, got ""/,
  },
  {
    what: 'a tensor name of invalid UTF-8',
    spoil: withTensor({ name: Buffer.of(0xff) }),
    message: /name is not UTF-8/,
  },
  {
    what: 'a duplicate tensor name',
    spoil: (file) => {
      file.tensors.at(-1)!.name = file.tensors[0]!.name;
    },
    message: /tensor\[\d+\] ".*": at byte \d+: the tensor is in the file twice/,
  },
  { what: 'no dimensions', spoil: withTensor({ dims: [] }), message: /number of dimensions, got 0/ },
  {
    what: 'five dimensions',
    spoil: withTensor({ dims: [1n, 1n, 1n, 1n, 1n] }),
    message: /dimensions, got 5/,
  },
  {
    what: 'a dimension of 0',
    spoil: withTensor({ dims: [8n, 0n] }),
    message: /dimension 1, got 0, expected at/,
  },
  {
    what: 'a dimension of -1',
    spoil: withTensor({ dims: [-1n] }),
    message: /tensor\[\d+\] ".*": at byte \d+: dimension 0, got 18446744073709551615/,
  },
  {
    what: 'two dimensions of 4 * INT32_MAX',
    spoil: withTensor({ dims: [4n * 0x7fffffffn, 4n * 0x7fffffffn] }),
    message: /dimension 1, got 8589934588, expected at least 1, and a product below 2\^63/,
  },
  ...[4, 5, 31, 33, 36, 38].map((type) => ({
    what: `removed type ${type}`,
    spoil: withTensor({ type }),
    message: new RegExp(
      `tensor\\[\\d+\\] ".*": at byte \\d+: ggml type, got ${type}, expected a type that ggml`,
    ),
  })),
  { what: 'type 43, the count of types', spoil: withTensor({ type: 43 }), message: /ggml type, got 43/ },
  {
    what: 'a Q8_0 row of 33',
    spoil: withTensor({ type: 8, dims: [33n] }),
    message: /row length, got 33, expected a multiple of 32/,
  },
  {
    what: 'an offset of -1',
    spoil: withTensor({ offset: -1n }),
    message: /offset is not aligned, got 184467/,
  },
  {
    what: 'offsets laid out for alignment 1',
    spoil: (file) => {
      file.tensors = [0n, 4n, 8n].map((offset) => {
        return { name: Buffer.from(`t${offset}`), dims: [1n], type: 0, offset };
      });
      file.dataBytes = 12;
    },
    message: /tensor\[1\] "t4": at byte \d+: offset is not aligned, got 4, expected 32/,
  },
  {
    what: 'overlapping tensors',
    spoil: withTensor({ offset: 0n }),
    message: /tensor\[\d+\] ".*": at byte \d+: tensors overlap, got 0/,
  },
  {
    what: 'a hole between tensors',
    spoil: (file) => {
      file.tensors.at(-1)!.offset += 32n;
      file.dataBytes += 32;
    },
    message: /hole in the data/,
  },
  {
    what: 'two tensors of 0x7FFFFFFFFFFFFFC0 bytes, whose sum wraps',
    spoil: (file) => {
      file.tensors = [huge, { ...huge, name: Buffer.from('other'), offset: 0x7fffffffffffffc0n }];
    },
    message: /tensor\[0\] "huge": .*the data ends beyond the end of the file/,
  },
  {
    what: 'data cut short',
    spoil: (file) => {
      file.dataBytes -= 33;
    },
    message:
      /tensor\[\d+\] ".*": at byte \d+: the data ends beyond the end of the file, got \d+, expected a file/,
  },
  {
    what: 'trailing bytes',
    spoil: (file) => {
      file.dataBytes += 1;
    },
    message: /data: at byte \d+: bytes after the last tensor/,
  },
  {
    what: 'trailing bytes in a file without tensors',
    spoil: (file) => {
      Object.assign(file, { tensors: [], dataBytes: 34 });
    },
    message: /bytes after the last tensor/,
  },
];

/** Each row spoils several random files, so that no row depends on one layout. */
const SEEDS = [1, 2, 3];

async function rejection(bytes: Uint8Array): Promise<PressError> {
  const error = await readGguf(memorySource(bytes)).then(
    () => assert.fail('the file was accepted'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof PressError, `not a PressError: ${String(error)}`);
  return error;
}

describe('readGguf refuses', () => {
  for (const { what, spoil, message, failure = 'invalid-input' } of ROWS) {
    it(`${what} (${failure}, seeds ${SEEDS.join(', ')})`, async () => {
      for (const seed of SEEDS) {
        const file = randomGguf(seed);
        spoil(file);
        const error = await rejection(ggufBytes(file));
        assert.equal(error.failure, failure);
        assert.match(error.message, /^model\.gguf: /);
        assert.match(error.message, message);
      }
    });
  }

  it('a header beyond 100 MB', async () => {
    const value = Buffer.concat([u32(8), u64(10_000_000), Buffer.alloc(10_000_000)]);
    const keys = Array.from({ length: 11 }, (_, i) => [text(`a.${i}`), value]);
    const source = memorySource(
      Buffer.concat([Buffer.from('GGUF'), u32(3), u64(0), u64(11), ...keys.flat()]),
    );
    await assert.rejects(
      readGguf(source),
      pressFailure('invalid-input', /header too long, expected at most 100000000 bytes$/),
    );
  });

  it('a file cut at any byte', async () => {
    const bytes = ggufBytes(randomGguf(4));
    const file = await readGguf(memorySource(bytes));
    const last = file.tensors.at(-1)!;
    for (let length = 0; length < last.offset + last.bytes; length++) {
      const error = await rejection(bytes.subarray(0, length));
      assert.equal(error.failure, 'invalid-input', `cut at ${length}`);
    }
  });

  it('or accepts, but never crashes on, any single changed byte of a header', async () => {
    const bytes = ggufBytes(randomGguf(5));
    for (let at = 0; at < bytes.length; at++) {
      for (const value of [0x00, 0x7f, 0x80, 0xff]) {
        const changed = Uint8Array.from(bytes);
        changed[at] = value;
        await readGguf(memorySource(changed)).catch((error: unknown) => {
          assert.ok(error instanceof PressError, `byte ${at} = ${value}: ${String(error)}`);
        });
      }
    }
  });
});

describe('readGguf accepts', () => {
  it('a file without keys and tensors', async () => {
    const empty = { ...randomGguf(1), keys: [], tensors: [], dataBytes: 0, alignment: 1 };
    const file = await readGguf(memorySource(ggufBytes(empty)));
    assert.deepEqual([file.metadata.size, file.tensors.length], [0, 0]);
  });

  it('version 2, which has the layout of version 3', async () => {
    const file = await readGguf(memorySource(ggufBytes({ ...randomGguf(1), version: 2 })));
    assert.equal(file.version, 2);
  });

  it('a last tensor without padding', async () => {
    const raw = randomGguf(1);
    raw.tensors.push({ name: Buffer.from('last'), dims: [1n], type: 0, offset: BigInt(raw.dataBytes) });
    raw.dataBytes += 4;
    const file = await readGguf(memorySource(ggufBytes(raw)));
    assert.equal(file.tensors.at(-1)!.bytes, 4);
  });

  it('alignment 4096', async () => {
    const raw = randomGguf(1);
    raw.keys.push(rawKey('general.alignment', 4, u32(4096)));
    raw.alignment = 4096;
    raw.tensors = [{ name: Buffer.from('t'), dims: [4n], type: 0, offset: 0n }];
    raw.dataBytes = 4096;
    const file = await readGguf(memorySource(ggufBytes(raw)));
    assert.equal(file.tensors[0]!.offset % 4096, 0);
  });

  it('strings at the edge of the window that is read ahead', async () => {
    const long = 'é'.repeat(200_000);
    const raw = {
      ...randomGguf(1),
      keys: [rawKey('a.b', 9, array(8, 3, text(long), text('x'), text(long)))],
    };
    const file = await readGguf(memorySource(ggufBytes(raw)));
    assert.deepEqual(file.metadata.get('a.b')?.value, [long, 'x', long]);
  });
});
