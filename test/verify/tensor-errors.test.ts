import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Model } from '../../src/core/model.ts';
import { SCHEMES, type SchemeName, schemeBytes, WRITTEN_SCHEMES } from '../../src/core/scheme.ts';
import { rowBytes, type Tensor } from '../../src/core/tensor.ts';
import {
  type TensorError,
  type TensorErrorOptions,
  tensorErrors,
  tensorMismatches,
} from '../../src/verify/tensor-errors.ts';
import { tensorFault } from '../../src/verify/thresholds.ts';
import { hollowModel, SMALL_PLM } from '../support/builders/hollow-model.ts';
import { memoryTensor, storedBytes, storedTensor } from '../support/builders/memory-model.ts';
import { floats, gaussian, truncateToBfloat, WEIGHT_SAMPLES } from '../support/builders/samples.ts';
import { usePlainKernels } from '../support/drivers/plain-kernels.ts';

const NAME = 'model.layers.0.mlp.up_proj.weight';

function modelOf(...tensors: Tensor[]): Model {
  return hollowModel(SMALL_PLM, { tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])) });
}

async function errorsOf(
  reference: Tensor,
  artifact: Tensor,
  options: TensorErrorOptions = {},
): Promise<TensorError> {
  const all: TensorError[] = [];
  for await (const error of tensorErrors(modelOf(reference), modelOf(artifact), { threads: 1, ...options })) {
    all.push(error);
  }
  assert.equal(all.length, 1);
  return all[0]!;
}

describe('errors of a tensor', () => {
  const reference = memoryTensor(NAME, [3, 2], Float32Array.of(3, 4, 0, 0, 8, -6));

  it('by hand', async () => {
    const artifact = memoryTensor(NAME, [3, 2], Float32Array.of(3, 5, 0, 0, 8, -8));
    assert.deepEqual(await errorsOf(reference, artifact), {
      name: NAME,
      scheme: 'F32',
      referenceScheme: 'F32',
      exact: true,
      shape: [3, 2],
      bytes: 24,
      rms: Math.sqrt(125 / 6),
      rmsError: Math.sqrt(5 / 6),
      relativeRmsError: Math.sqrt(5 / 6) / Math.sqrt(125 / 6),
      maxAbsError: 2,
      notFinite: 0,
      // 1 of 4 in row 0, 2 of 8 in row 2: the first of equals.
      worstRow: { row: 0, error: 0.25 },
      // Both are F32, so that no error passes: the first is that of 4 and 5.
      failed: { kind: 'error', row: 0, column: 1, block: 1, error: 0.25, limit: 0 },
    });
  });

  it('an error where the reference is zero is infinitely large', async () => {
    const { worstRow } = await errorsOf(
      reference,
      memoryTensor(NAME, [3, 2], Float32Array.of(3, 4, 0, 1e-9, 8, -6)),
    );
    assert.deepEqual(worstRow, { row: 1, error: Infinity });
  });

  it('but not below what the scheme can hold', async () => {
    const small = memoryTensor(
      NAME,
      [1, 32],
      floats(32, () => 1e-9),
    );
    const artifact = memoryTensor(NAME, [1, 32], new Float32Array(32), 'F16');
    assert.ok((await errorsOf(small, artifact)).worstRow.error < 1e-4);
    assert.equal(tensorFault(await errorsOf(small, artifact)), undefined);
  });

  it('weights that are not finite are counted and make every figure fail', async () => {
    const artifact = memoryTensor(NAME, [3, 2], Float32Array.of(3, 4, Number.NaN, 0, -Infinity, -6));
    const error = await errorsOf(reference, artifact);
    assert.equal(error.notFinite, 2);
    assert.match(tensorFault(error)!.what, /not finite/);
  });

  it('a weight of the reference that is not finite is told as the fault of the reference', async () => {
    const source = memoryTensor(NAME, [3, 2], Float32Array.of(3, 4, 0, Infinity, 8, -6));
    const copy = memoryTensor(NAME, [3, 2], Float32Array.of(3, 4, 0, 0, 8, -6));
    const fault = tensorFault(await errorsOf(source, copy));
    assert.equal(fault!.what, 'weight of the source that is not finite, in row 1, block 1 (weight [1, 1])');
  });

  it('a 1-D tensor is one row', async () => {
    const { worstRow } = await errorsOf(
      memoryTensor('model.norm.weight', [4], Float32Array.of(1, 1, 1, 2)),
      memoryTensor('model.norm.weight', [4], Float32Array.of(1, 1, 1.5, 2)),
    );
    assert.deepEqual(worstRow, { row: 0, error: 0.25 });
  });
});

describe('chunks', () => {
  const next = gaussian(3);
  const values = floats(40 * 64, next);
  const reference = memoryTensor(NAME, [40, 64], values, 'BF16');
  const artifact = memoryTensor(NAME, [40, 64], values, 'Q8_0');

  it('any budget and thread count, and the plain kernels, give the same figures', async (t) => {
    const expected = await errorsOf(reference, artifact);
    for (const options of [{ budget: 1 }, { budget: 1000 }, { budget: 3000, threads: 2 }]) {
      assert.deepEqual(await errorsOf(reference, artifact, options), expected);
    }
    usePlainKernels(t);
    assert.deepEqual(await errorsOf(reference, artifact), expected);
  });

  it('ranges keep to the row steps of both tensors and to the budget', async () => {
    const ranges: string[] = [];
    const stepped = (tensor: Tensor, rowStep: number): Tensor => ({
      ...tensor,
      rowStep,
      readRows(range, into) {
        ranges.push(`${range.first}+${range.count}`);
        assert.equal(into.length, range.count * rowBytes(tensor));
        return tensor.readRows(range, into);
      },
    });
    // A row takes 128 and 68 bytes; 15 of them fit, 12 are a multiple of 4 and 6.
    await errorsOf(stepped(reference, 4), stepped(artifact, 6), { budget: 15 * 196 });
    assert.deepEqual(ranges, ['0+12', '0+12', '12+12', '12+12', '24+12', '24+12', '36+4', '36+4']);
    ranges.length = 0;
    await errorsOf(stepped(reference, 4), stepped(artifact, 6), { budget: 30 * 196 });
    assert.deepEqual(ranges, ['0+24', '0+24', '24+16', '24+16']);
  });
});

describe('the place that is named', () => {
  const [ROWS, COLUMNS, BLOCK] = [300, 128, 34];
  const next = gaussian(5);
  const values = floats(ROWS * COLUMNS, next);
  const reference = memoryTensor(NAME, [ROWS, COLUMNS], values, 'BF16');
  const scale = (bits: number) => (block: Buffer) => void block.writeUInt16LE(bits, 0);
  const [zero, large, nan] = [scale(0), scale(0x7bff), scale(0x7e00)];
  type Damage = readonly [row: number, block: number, edit: (block: Buffer) => void];
  const cases: readonly [
    what: string,
    damages: readonly Damage[],
    failed: Readonly<Record<string, unknown>>,
  ][] = [
    [
      'the first NaN of many',
      [
        [7, 2, nan],
        [7, 3, nan],
        [8, 0, nan],
        [299, 1, nan],
      ],
      { kind: 'not finite', row: 7, column: 64, block: 2 },
    ],
    [
      'a NaN after a row that is only wrong',
      [
        [3, 1, zero],
        [90, 3, nan],
        [200, 0, nan],
      ],
      { kind: 'not finite', row: 90, column: 96, block: 3 },
    ],
    [
      'the first wrong row, not the worst',
      [
        [4, 1, zero],
        [150, 0, large],
      ],
      { kind: 'error', row: 4, block: 1 },
    ],
  ];
  for (const [what, damages, failed] of cases) {
    it(`${what}, on any number of threads and in any chunks`, async () => {
      const bytes = await storedBytes(memoryTensor(NAME, [ROWS, COLUMNS], values, 'Q8_0'));
      for (const [row, block, edit] of damages) {
        edit(Buffer.from(bytes.buffer, bytes.byteOffset + BLOCK * (row * (COLUMNS / 32) + block), BLOCK));
      }
      const artifact = storedTensor(NAME, [ROWS, COLUMNS], bytes, 'Q8_0');
      for (const options of [{}, { budget: 1 }, { budget: 5000 }, { threads: 2 }, { threads: 5 }]) {
        const error = await errorsOf(reference, artifact, options);
        assert.deepEqual({ ...error.failed, ...failed }, error.failed);
        assert.match(tensorFault(error)!.what, new RegExp(`row ${failed.row}, block ${failed.block} \\(`));
      }
    });
  }
});

it('a block that was copied may not be off by one code', async () => {
  const ones = new Float32Array(2 * 128).fill(1);
  const bytes = await storedBytes(memoryTensor(NAME, [2, 128], ones, 'Q8_0'));
  const reference = storedTensor(NAME, [2, 128], bytes.slice(), 'Q8_0');
  // Code 3 of block 1 of row 1.
  bytes[34 * 5 + 2 + 3]!--;
  const error = await errorsOf(reference, storedTensor(NAME, [2, 128], bytes, 'Q8_0'));
  assert.deepEqual([error.exact, error.failed!.row, error.failed!.column], [true, 1, 35]);
  const { what, expected } = tensorFault(error)!;
  assert.match(what, /^relative RMS error of Q8_0, the first row beyond its limit at row 1, block 1 /);
  assert.equal(expected, 'at most 0.00');
});

it('of several weights that are off by most the first is named', async () => {
  const ones = new Float32Array(2 * 128).fill(1);
  const bytes = await storedBytes(memoryTensor(NAME, [2, 128], ones, 'Q8_0'));
  // The scale of block 2 of row 1.
  bytes.fill(0, 34 * 6, 34 * 6 + 2);
  const { failed } = await errorsOf(
    memoryTensor(NAME, [2, 128], ones, 'BF16'),
    storedTensor(NAME, [2, 128], bytes, 'Q8_0'),
  );
  assert.deepEqual([failed!.row, failed!.column, failed!.block], [1, 64, 2]);
});

describe('models', () => {
  const tensor = (name: string, shape: number[]) => memoryTensor(name, shape, new Float32Array(32).fill(1));

  it('names what does not match, and compares the rest', async () => {
    const reference = modelOf(...['a', 'b', 'c', 'e', 'f'].map((name) => tensor(name, [4, 8])));
    const artifact = modelOf(
      ...[tensor('b', [8, 4]), tensor('c', [4, 8]), tensor('d', [4, 8])],
      ...[tensor('e', [2, 8]), tensor('f', [4, 4])],
    );
    assert.deepEqual(
      [...tensorMismatches(reference, artifact)].map(({ field, what }) => `${field}: ${what}`),
      [
        ...['a: tensor is missing in the artifact', 'b: shape', 'e: shape', 'f: shape'],
        'd: tensor is not in the reference',
      ],
    );
    const compared: string[] = [];
    for await (const { name } of tensorErrors(reference, artifact, { threads: 1 })) compared.push(name);
    assert.deepEqual(compared, ['c']);
  });

  it('hears a signal', async () => {
    const model = modelOf(tensor('a', [4, 8]));
    const options = { threads: 1, signal: AbortSignal.abort() };
    await assert.rejects(tensorErrors(model, model, options).next(), { name: 'AbortError' });
  });
});

describe('rounding passes', () => {
  // The others hold no weights of a model: infinite in f16, or far below every floor.
  const SAMPLES = ['Gaussian', 'Gaussian in bf16', 'constant', 'zero', 'sparse'];
  for (const scheme of WRITTEN_SCHEMES) {
    for (const sample of SAMPLES) {
      it(`${scheme}: ${sample}`, async () => {
        const values = WEIGHT_SAMPLES[sample]!(16 * 512);
        const error = await errorsOf(
          memoryTensor(NAME, [16, 512], values),
          memoryTensor(NAME, [16, 512], values, scheme),
        );
        assert.equal(tensorFault(error), undefined);
      });
    }
  }
});

describe('a tensor of zeros in place of weights does not pass', () => {
  const next = gaussian(13);
  const values = floats(4 * 512, () => 0.02 * next());
  const reference = memoryTensor(NAME, [4, 512], values);
  for (const scheme of Object.keys(SCHEMES) as SchemeName[]) {
    it(scheme, async () => {
      const zeros = storedTensor(NAME, [4, 512], new Uint8Array(schemeBytes(scheme, values.length)), scheme);
      for (const weighed of [false, true]) {
        const artifact = { ...modelOf(zeros), weighed };
        for await (const error of tensorErrors(modelOf(reference), artifact, { threads: 1 })) {
          assert.ok(tensorFault(error), `weighed: ${weighed}`);
        }
      }
    });
  }
});

describe('damage does not pass', () => {
  const [ROWS, COLUMNS] = [256, 2048];
  const next = gaussian(11);
  const values = truncateToBfloat(floats(ROWS * COLUMNS, () => 0.02 * next()));
  const reference = memoryTensor(NAME, [ROWS, COLUMNS], values, 'BF16');
  const DAMAGES: Readonly<Record<string, (bytes: Uint8Array, at: number) => void>> = {
    'one block of random bytes': (bytes, at) => {
      for (let i = 0; i < 18; i++) bytes[at + i]! ^= (i * 37 + 91) & 0xff;
    },
    '64 bytes of zeros': (bytes, at) => bytes.fill(0, at, at + 64),
    'two rows swapped': (bytes) => {
      const row = bytes.length / ROWS;
      const first = bytes.slice(0, row);
      bytes.copyWithin(0, row, 2 * row);
      bytes.set(first, row);
    },
    'all bytes one block late': (bytes) => {
      bytes.copyWithin(210, 0, bytes.length - 210);
    },
  };
  for (const scheme of ['F32', 'BF16', 'F16', 'Q8_0', 'Q6_K', 'Q4_0'] satisfies SchemeName[]) {
    for (const [damage, apply] of Object.entries(DAMAGES)) {
      it(`${scheme}: ${damage}`, async () => {
        const bytes = await storedBytes(memoryTensor(NAME, [ROWS, COLUMNS], values, scheme));
        const artifact = storedTensor(NAME, [ROWS, COLUMNS], bytes, scheme);
        assert.equal(tensorFault(await errorsOf(reference, artifact)), undefined);
        // A block in the middle of row 200, for each scheme at a multiple of its size.
        apply(bytes, (bytes.length / ROWS) * 200.5);
        assert.ok(tensorFault(await errorsOf(reference, artifact)));
      });
    }
  }
});
