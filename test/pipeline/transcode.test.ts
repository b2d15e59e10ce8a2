import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test, { describe, it } from 'node:test';
import type { PlannedTensor } from '../../src/core/export-plan.ts';
import type { ProgressEvent } from '../../src/core/jobs/progress.ts';
import { type SchemeName, schemeBytes } from '../../src/core/scheme.ts';
import { rowCount, type Tensor } from '../../src/core/tensor.ts';
import { openCompute } from '../../src/kernels/compute.ts';
import { knownImportance } from '../../src/passes/rounding/calibrated-rounding.ts';
import {
  assertTranscodable,
  type TranscodeOptions,
  transcode,
} from '../../src/pipeline/writing/transcode.ts';
import {
  feedbackBytes,
  importanceBytes,
  SLOTS,
  sideBytes,
  slotBytes,
  triangleBytes,
} from '../../src/pipeline/writing/working-memory.ts';
import { decoderOf } from '../../src/schemes/index.ts';
import { assertSameBytes } from '../support/builders/blocks.ts';
import { memoryTensor } from '../support/builders/memory-tensor.ts';
import { floats, gaussian, importances } from '../support/builders/samples.ts';
import { usePlainKernels } from '../support/drivers/plain-kernels.ts';
import { assertEndsAtTurn } from '../support/ends-at-turn.ts';
import { quantizeChunk } from '../support/oracles/ggml.ts';
import { encoderOf } from '../support/oracles/schemes/index.ts';

const COLUMNS = 64;
const ROWS = 50;
const FILES = [{ name: 'model.safetensors' }];

function gaussianTensor(seed: number, scheme: SchemeName, offset = 0): Tensor {
  const next = gaussian(seed);
  const values = floats(ROWS * COLUMNS, () => next());
  return memoryTensor(values, {
    name: `w${seed}`,
    scheme,
    shape: [ROWS, COLUMNS],
    origin: { file: 0, offset },
  });
}

interface Outcome {
  readonly target: Uint8Array;
  readonly errors: readonly { readonly relativeRms: number; readonly maxAbs: number }[];
}

/** Transcodes tensors into one array, each behind the one before. */
async function run(
  sources: readonly Tensor[],
  scheme: SchemeName,
  {
    threads = 2,
    slot = 1 << 16,
    ...options
  }: Partial<TranscodeOptions> & { threads?: number; slot?: number } = {},
): Promise<Outcome> {
  let end = 0;
  const tensors = sources.map((source): PlannedTensor => {
    const offset = end;
    end += schemeBytes(scheme, source.shape.at(-1)!) * rowCount(source);
    return { source, name: source.name, scheme, offset };
  });
  const target = new Uint8Array(end);
  const write = async (bytes: Uint8Array, offset: number) => target.set(bytes, offset);
  const compute = await openCompute({ threads, bytes: SLOTS * slot });
  try {
    const transfers = tensors.map((tensor) => ({ tensor, write }));
    const stored = await transcode(transfers, { compute, slotBytes: slot, files: FILES, ...options });
    for (const [index, tensor] of tensors.entries()) {
      const rows = target.subarray(tensor.offset, tensors[index + 1]?.offset);
      assert.equal(stored.get(tensor)!.sha256, createHash('sha256').update(rows).digest('hex'));
    }
    return { target, errors: tensors.map((tensor) => stored.get(tensor)!.error) };
  } finally {
    await compute.close();
  }
}

/** A slot that holds so many rows of a BF16 tensor that becomes Q8_0. */
const slotOf = (rows: number) => Math.ceil((rows * (128 + 68 + 32) + 128) / 64) * 64;

test('bytes and errors are those of the plain encoders, whatever threads and chunks', async () => {
  const sources = [gaussianTensor(1, 'BF16'), gaussianTensor(2, 'BF16', 10_000)];
  const expected = await expectedOutcome(sources, 'Q8_0');
  for (const threads of [1, 2, 5]) {
    for (const rows of [1, 3, 7, ROWS, 1000]) {
      const outcome = await run(sources, 'Q8_0', { threads, slot: slotOf(rows) });
      assert.deepEqual(outcome, expected, `${threads} threads, ${rows} rows per chunk`);
    }
  }
});

async function expectedOutcome(sources: readonly Tensor[], scheme: SchemeName): Promise<Outcome> {
  const targets: Uint8Array[] = [];
  const errors = [];
  for (const source of sources) {
    const stored = new Uint8Array(schemeBytes(source.scheme, COLUMNS) * ROWS);
    await source.readRows({ first: 0, count: ROWS }, stored);
    const before = new Float32Array(ROWS * COLUMNS);
    decoderOf(source.scheme)(stored, 0, before, 0, before.length);
    const target = new Uint8Array(schemeBytes(scheme, COLUMNS) * ROWS);
    encoderOf(scheme)(before, 0, target, 0, before.length);
    const after = new Float32Array(before.length);
    decoderOf(scheme)(target, 0, after, 0, after.length);
    let [squaredError, squares, maxAbs] = [0, 0, 0];
    for (let row = 0; row < ROWS; row++) {
      let [rowError, rowSquares] = [0, 0];
      for (let i = row * COLUMNS; i < (row + 1) * COLUMNS; i++) {
        const error = before[i]! - after[i]!;
        rowError += error * error;
        rowSquares += before[i]! * before[i]!;
        maxAbs = Math.max(maxAbs, Math.abs(error));
      }
      squaredError += rowError;
      squares += rowSquares;
    }
    targets.push(target);
    errors.push({ relativeRms: Math.sqrt(squaredError / squares), maxAbs });
  }
  return { target: new Uint8Array(Buffer.concat(targets)), errors };
}

describe('importances reach the encoder, each tensor’s its own', () => {
  const columns = 512;
  const next = gaussian(7);
  const values = floats(20 * columns, () => next());
  const weights = [
    undefined,
    importances(256, 1),
    importances(columns, 2),
    undefined,
    importances(columns, 3),
  ];
  for (const kernels of ['WebAssembly', 'plain'] as const) {
    it(`in ${kernels}`, async (t) => {
      if (kernels === 'plain') usePlainKernels(t);
      const targets = weights.map(() => new Uint8Array(schemeBytes('Q4_K', values.length)));
      const transfers = weights.map((importance, index) => {
        const width = importance?.length ?? columns;
        const shape = [values.length / width, width];
        const source = memoryTensor(values, { scheme: 'F32', shape, origin: { file: 0, offset: index } });
        const tensor: PlannedTensor = {
          source,
          name: `w${index}`,
          scheme: 'Q4_K',
          offset: 0,
          ...(importance && { importance: knownImportance(importance) }),
        };
        return {
          tensor,
          write: async (bytes: Uint8Array, offset: number) => targets[index]!.set(bytes, offset),
        };
      });
      const slotBytes = 3 * 5120;
      const area = importanceBytes(transfers.map(({ tensor }) => tensor));
      const compute = await openCompute({ threads: 2, bytes: SLOTS * slotBytes + area });
      try {
        await transcode(transfers, { compute, slotBytes, files: FILES });
      } finally {
        await compute.close();
      }
      for (const [index, importance] of weights.entries()) {
        const width = importance?.length ?? columns;
        const expected = quantizeChunk('Q4_K', values, values.length / width, width, importance ?? null);
        assertSameBytes(targets[index]!, expected, 'Q4_K');
      }
    });
  }
});

test('equal schemes copy bytes without error', async () => {
  const source = gaussianTensor(3, 'Q4_0');
  const stored = new Uint8Array(schemeBytes('Q4_0', COLUMNS) * ROWS);
  await source.readRows({ first: 0, count: ROWS }, stored);
  assert.deepEqual(await run([source], 'Q4_0'), { target: stored, errors: [{ relativeRms: 0, maxAbs: 0 }] });
});

test('a tensor of zeros and one without rows have no error', async () => {
  const zeros = memoryTensor(new Float32Array(64), { scheme: 'F32', shape: [2, 32] });
  const empty = memoryTensor(new Float32Array(0), { scheme: 'F32', shape: [0, 32] });
  const { errors } = await run([zeros, empty], 'Q4_0');
  assert.deepEqual(errors, [
    { relativeRms: 0, maxAbs: 0 },
    { relativeRms: 0, maxAbs: 0 },
  ]);
});

test('tensors are read in the order of the source, one read at a time', async () => {
  const reads: string[] = [];
  let reading = 0;
  const watched = (source: Tensor): Tensor => ({
    ...source,
    async readRows(range, into) {
      reads.push(`${source.name} ${range.first}`);
      assert.equal(++reading, 1);
      await new Promise((resolve) => setTimeout(resolve, 1));
      await source.readRows(range, into);
      reading--;
    },
  });
  const sources = [gaussianTensor(1, 'BF16', 900), gaussianTensor(2, 'BF16', 100)].map(watched);
  await run(sources, 'Q8_0', { slot: slotOf(20) });
  assert.deepEqual(reads, ['w2 0', 'w2 20', 'w2 40', 'w1 0', 'w1 20', 'w1 40']);
});

test('progress tells bytes of the target and the tensor', async () => {
  const events: ProgressEvent[] = [];
  await run([gaussianTensor(1, 'BF16')], 'Q8_0', {
    slot: slotOf(30),
    progress: (event) => events.push(event),
  });
  assert.deepEqual(events, [
    { kind: 'phase', name: 'convert', total: 68 * ROWS, unit: 'bytes' },
    { kind: 'advance', done: 68 * 30, item: 'w1' },
    { kind: 'advance', done: 68 * ROWS, item: 'w1' },
  ]);
});

describe('weights that are not finite stop the run', () => {
  const cases: readonly [name: string, from: SchemeName, to: SchemeName, value: number, told: RegExp][] = [
    ['NaN', 'F32', 'BF16', Number.NaN, /weight \[41, 5\] is not finite, got NaN$/],
    ['infinity', 'F32', 'Q8_0', -Infinity, /weight \[41, 5\] is not finite, got -Infinity$/],
    ['NaN that would be copied', 'BF16', 'BF16', Number.NaN, /is not finite, got NaN$/],
    ['the first float that rounds to an infinite half', 'F32', 'F16', 65520, /overflows in F16, got 65520$/],
    ['the largest float', 'F32', 'BF16', 3.4028234663852886e38, /overflows in BF16/],
    ['an outlier whose scale is no half', 'F32', 'Q8_0', 1e30, /weight \[41, 5\] overflows in Q8_0/],
    ['an outlier of four bits', 'F32', 'Q4_0', 1e30, /weight \[41, 5\] overflows in Q4_0/],
  ];
  for (const [name, from, to, value, told] of cases) {
    it(`${name}: ${from} to ${to}`, async () => {
      const values = floats(ROWS * COLUMNS, (i) => (i === 41 * COLUMNS + 5 ? value : 1 + (i % 7) / 8));
      const source = memoryTensor(values, { scheme: from, shape: [ROWS, COLUMNS] });
      await assert.rejects(run([source], to, { slot: slotOf(30) }), (error: Error) => {
        assert.match(error.message, /^model\.safetensors: tensor "w": /);
        assert.match(error.message, told);
        assert.equal((error as Error & { failure: string }).failure, 'invalid-input');
        return true;
      });
    });
  }

  it('but the largest half is stored', async () => {
    const source = memoryTensor(Float32Array.of(65519, 65504), { scheme: 'F32', shape: [1, 2] });
    assert.deepEqual((await run([source], 'F16')).target, Uint8Array.of(0xff, 0x7b, 0xff, 0x7b));
  });
});

describe('failures end reads and writes under way', () => {
  const slow = <T>(value: T) => new Promise<T>((resolve) => setTimeout(() => resolve(value), 5));

  it('of a read', async () => {
    const source = gaussianTensor(1, 'BF16');
    const readRows: Tensor['readRows'] = async (range, into) => {
      if (range.first === 20) throw new Error('unreadable');
      await slow(source.readRows(range, into));
    };
    await assert.rejects(run([{ ...source, readRows }], 'Q8_0', { slot: slotOf(10) }), /^Error: unreadable$/);
  });

  it('of a write', async () => {
    let pending = 0;
    const write = async (_bytes: Uint8Array, offset: number) => {
      pending++;
      await slow(undefined);
      pending--;
      if (offset === 68 * 20) throw new Error('unwritable');
    };
    const compute = await openCompute({ threads: 1, bytes: SLOTS * slotOf(10) });
    const tensor = { source: gaussianTensor(1, 'BF16'), name: 'w', scheme: 'Q8_0', offset: 0 } as const;
    const work = transcode([{ tensor, write }], { compute, slotBytes: slotOf(10), files: FILES });
    await assert.rejects(work, /^Error: unwritable$/);
    assert.equal(pending, 0);
    await compute.close();
  });

  it('of an abort', async () => {
    const controller = new AbortController();
    const progress = ({ kind }: ProgressEvent) =>
      kind === 'advance' && controller.abort(new Error('interrupted'));
    const options = { slot: slotOf(10), signal: controller.signal, progress };
    await assert.rejects(run([gaussianTensor(1, 'BF16')], 'Q8_0', options), /^Error: interrupted$/);
  });

  it('of an abort in the midst of a chunk', async (t) => {
    const compute = await openCompute({ threads: 1, bytes: SLOTS * slotOf(ROWS) });
    const tensor = { source: gaussianTensor(1, 'BF16'), name: 'w', scheme: 'Q8_0', offset: 0 } as const;
    const options = { compute, slotBytes: slotOf(ROWS), files: FILES };
    const write = async () => {};
    await assertEndsAtTurn(t, (signal) => transcode([{ tensor, write }], { ...options, signal }));
    await compute.close();
  });
});

describe('a scheme that can only be read', () => {
  const planned = (from: SchemeName) => {
    const source = { ...gaussianTensor(1, 'BF16'), scheme: from };
    return { source, name: 'blk', scheme: 'IQ2_XS', offset: 0 } as const;
  };

  it('is refused before anything runs', () => {
    const told = /^tensor "blk": scheme cannot be written, got "IQ2_XS"$/;
    assert.throws(() => assertTranscodable(planned('F16')), { failure: 'unsupported', message: told });
  });

  it('is copied from itself', () => assertTranscodable(planned('IQ2_XS')));
});

describe('working memory', () => {
  const tensor = { source: gaussianTensor(1, 'BF16'), name: 'w', scheme: 'Q8_0', offset: 0 } as const;
  const limit = { resident: 100e6, threads: 2 };

  it('prefers slots of 8 MiB', () => {
    assert.equal(slotBytes([tensor], { ...limit, maxMemory: undefined }), 8 << 20);
    assert.equal(slotBytes([tensor], { ...limit, maxMemory: 1e9 }), 8 << 20);
  });

  it('takes smaller slots where less is allowed, but never less than a row step of every tensor', () => {
    const wide = { ...tensor, source: { ...tensor.source, rowStep: ROWS } };
    const sizes = [163e6, 168e6, 175e6].map((maxMemory) => slotBytes([wide], { ...limit, maxMemory }));
    for (const size of sizes) assert.ok(size >= slotOf(ROWS) && size % 64 === 0, `slot of ${size}`);
    assert.deepEqual(
      sizes,
      sizes.toSorted((a, b) => a - b),
    );
  });

  it('takes smaller slots in a container of little memory, and the smallest where even that does not fit', (t) => {
    const wide = { ...tensor, source: { ...tensor.source, rowStep: ROWS } };
    const sizes = [1e9, 168e6, 1e6].map((limitOfContainer) => {
      t.mock.method(process, 'constrainedMemory', () => limitOfContainer);
      return slotBytes([wide], { ...limit, maxMemory: undefined });
    });
    const most = slotBytes([wide], { ...limit, maxMemory: 168e6 });
    const least = slotBytes([wide], { ...limit, maxMemory: 161e6 });
    assert.deepEqual(sizes.slice(0, 2), [8 << 20, most]);
    assert.ok(sizes[2]! <= least && sizes[2]! >= slotOf(ROWS), `slot of ${sizes[2]}`);
  });

  it('holds the importances of the widest tensor that has any', () => {
    const weighted = (columns: number) => ({
      ...tensor,
      source: { ...tensor.source, shape: [tensor.source.shape[0]!, columns] },
      importance: knownImportance(new Float32Array(columns)),
    });
    assert.equal(importanceBytes([tensor]), 0);
    assert.equal(importanceBytes([tensor, weighted(1), weighted(1000), weighted(999)]), 4032);
    const most = slotBytes([tensor], { ...limit, maxMemory: 168e6 });
    assert.equal(slotBytes([weighted(48)], { ...limit, maxMemory: 168e6 + 192 }), most);
  });

  it('counts coefficients of feedback, and the second moments that they are made of', () => {
    const fed = (columns: number) => ({
      ...tensor,
      feedback: {
        turn: 0,
        columns,
        moments: { size: columns, triangle: () => assert.fail() },
        chance: 0,
        flat: 0,
      },
    });
    const tensors = [tensor, fed(100), fed(99)];
    // f32 of 100 * 99 / 2 pairs, f64 of 100 * 101 / 2, in whole cache lines.
    assert.deepEqual([feedbackBytes(tensors), triangleBytes(tensors)], [19_840, 40_448]);
    // And f32 of 100 pivots, and of 256 moments for each of 100 columns.
    assert.equal(sideBytes(tensors), 19_840 + 448 + 102_400 + 40_448);
    assert.equal(sideBytes([tensor]), 0);
  });

  it('says how much it needs', () => {
    const told = {
      failure: 'local-io',
      message: 'the memory limit is too small: 150 MB, expected at least 161 MB',
    };
    assert.throws(() => slotBytes([tensor], { ...limit, maxMemory: 150e6 }), told);
  });
});
