import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import workerThreads, { Worker } from 'node:worker_threads';
import type { PressError } from '../../src/core/errors.ts';
import { Turns } from '../../src/core/jobs/turns.ts';
import { Compute, openCompute } from '../../src/kernels/compute.ts';
import { Control } from '../../src/kernels/control.ts';
import type { Job } from '../../src/kernels/jobs.ts';
import { arenaStart, PAGE_BYTES } from '../../src/kernels/layout.ts';
import { SharedViews } from '../../src/kernels/memory.ts';
import { floats, uniform } from '../support/builders/samples.ts';
import { setBuiltin } from '../support/fakes/set-builtin.ts';
import { pressFailure } from '../support/press-failure.ts';

const MIB = 2 ** 20;

/** Large enough that every thread is woken. */
function largeMatmul(compute: Compute): Job<'matmul'> {
  const [rows, columns, tokens] = [512, 256, 8];
  return {
    weights: compute.alloc(4 * rows * columns),
    scheme: 0,
    rowBytes: 4 * columns,
    rows,
    columns,
    batch: 1,
    weightsBatchBytes: 0,
    x: compute.alloc(4 * tokens * columns),
    xTokenStride: columns,
    xBatchStride: 0,
    y: compute.alloc(4 * tokens * rows),
    yTokenStride: rows,
    yBatchStride: 0,
    tokens,
  };
}

describe('memory of a compute', () => {
  it('is handed out zeroed, in aligned areas that do not overlap, until it is used up', async () => {
    const compute = await openCompute({ threads: 1, bytes: 1000 });
    const [a, b] = [compute.alloc(1), compute.alloc(900)];
    assert.deepEqual([a % 64, b % 64, b - a], [0, 0, 64]);
    assert.ok(compute.bytes(b, 900).every((byte) => byte === 0));
    assert.throws(
      () => compute.alloc(65),
      (error: PressError) =>
        error.failure === 'local-io' && /65 bytes are wanted, 0 are left/.test(error.message),
    );
  });

  it('is limited to 4 GiB', async () => {
    await assert.rejects(
      openCompute({ threads: 1, bytes: 6 * 1024 * MIB }),
      (error: PressError) =>
        error.failure === 'local-io' && /^6\.\d+ GiB .* the limit is 4 GiB$/.test(error.message),
    );
  });

  it('may be nearly 4 GiB, of which untouched pages cost nothing', async () => {
    const compute = await openCompute({ threads: 1, bytes: 4090 * MIB });
    const last = compute.alloc(4090 * MIB) + 4090 * MIB - 64;
    compute.floats(last, 4).fill(3);
    compute.run('add', { x: last, xTokenStride: 4, y: last, yTokenStride: 4, columns: 4, tokens: 1 });
    assert.deepEqual([...compute.floats(last, 4)], [6, 6, 6, 6]);
  });

  it('has a scratch area a thread whose size is checked', async () => {
    const compute = await openCompute({ threads: 1, bytes: MIB });
    const job = { ...largeMatmul(compute), columns: 2 ** 20 };
    assert.throws(() => compute.run('matmul', job), {
      name: 'PressError',
      failure: 'unsupported',
      message: 'kernel matmul needs 16777216 bytes of scratch, expected at most 2097152',
    });
  });
});

describe('failures of kernels', () => {
  for (const threads of [1, 2, 5]) {
    it(`surface in run, and the next job runs: ${threads} threads`, async () => {
      const compute = await openCompute({ threads, bytes: 2 * MIB });
      const job = largeMatmul(compute);
      for (let round = 0; round < 20; round++) {
        assert.throws(() => compute.run('matmul', { ...job, scheme: 99 }), /^Error: kernel matmul failed: ./);
        // Beyond the end of the memory.
        assert.throws(() => compute.run('matmul', { ...job, weights: 2 ** 31 }), /kernel matmul failed: ./);
        compute.run('matmul', job);
      }
      await compute.close();
    });
  }

  it('of one thread end the job for all, and its message is kept', () => {
    const buffer = new SharedArrayBuffer(65536);
    const [caller, worker] = [new Control(new SharedViews(buffer)), new Control(new SharedViews(buffer))];
    const noTokens = { x: 0, xTokenStride: 0, y: 0, yTokenStride: 0, columns: 0, tokens: 0 };
    const executed: number[] = [];
    caller.prepare('add', noTokens, { first: 0, end: 10, grain: 1 });
    worker.takePart((_kernel, first) => {
      if (first === 2) throw new Error(`tile ${first} is broken: ${'x'.repeat(2000)}`);
      executed.push(first);
    });
    caller.takePart((_kernel, first) => executed.push(first));
    assert.deepEqual(executed, [0, 1]);
    assert.match(caller.failureMessage() ?? '', /^tile 2 is broken: x+$/);
    caller.prepare('add', noTokens, { first: 0, end: 10, grain: 1 });
    assert.equal(caller.failureMessage(), undefined);
  });
});

it('a job with turns between its tiles has the results of one without', async () => {
  // Enough for two pieces of three threads.
  const [rows, columns, tokens] = [1 << 15, 64, 31];
  for (const threads of [1, 3]) {
    const compute = await openCompute({ threads, bytes: 16 * MIB });
    const job: Job<'matmul'> = {
      weights: compute.alloc(4 * rows * columns),
      scheme: 0,
      rowBytes: 4 * columns,
      rows,
      columns,
      batch: 1,
      weightsBatchBytes: 0,
      x: compute.alloc(4 * tokens * columns),
      xTokenStride: columns,
      xBatchStride: 0,
      y: compute.alloc(4 * tokens * rows),
      yTokenStride: rows,
      yBatchStride: 0,
      tokens,
    };
    compute.floats(job.weights, rows * columns).set(floats(rows * columns, uniform(1)));
    compute.floats(job.x, tokens * columns).set(floats(tokens * columns, uniform(2)));
    const y = compute.floats(job.y, tokens * rows);
    compute.run('matmul', job);
    const expected = y.slice();
    y.fill(0);
    await compute.runInTurns('matmul', job, new Turns(undefined));
    assert.ok(y.every((value, i) => value === expected[i]));
    await compute.close();
  }
});

describe('a worker that dies', () => {
  /** A compute whose one worker has other code than ours. */
  async function withWorker(code: string): Promise<{ compute: Compute; worker: Worker }> {
    const worker = new Worker(code, { eval: true });
    // Without kernels.
    const module = await WebAssembly.compile(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
    const pages = Math.ceil((arenaStart(2) + 2 * MIB) / PAGE_BYTES);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    return { worker, compute: new Compute({ module, memory }, [worker], 2 * MIB, () => {}) };
  }

  for (const [how, code, message] of [
    ['by an error', `throw new Error('out of luck')`, 'a thread ended: out of luck'],
    ['outright', `process.exit(3)`, 'a thread ended with code 3'],
  ] as const) {
    it(`${how} between two jobs ends the next`, async () => {
      const { compute, worker } = await withWorker(code);
      const job = largeMatmul(compute);
      await new Promise((resolve) => worker.once('exit', resolve));
      const lost = { name: 'PressError', failure: 'local-io', message };
      assert.throws(() => compute.run('matmul', job), lost);
      assert.throws(() => compute.run('matmul', job), lost);
      await compute.close();
    });
  }

  it('in a job is not waited for, beyond the patience', () => {
    const buffer = new SharedArrayBuffer(65536);
    const [caller, worker] = [new Control(new SharedViews(buffer)), new Control(new SharedViews(buffer))];
    caller.publish(2);
    worker.leave();
    assert.equal(caller.awaitWorkers(1), false);
    worker.leave();
    assert.equal(caller.awaitWorkers(1), true);
  });
});

describe('a start that fails', () => {
  it('of one thread ends the others', async (t) => {
    const started: Worker[] = [];
    setBuiltin(
      t,
      workerThreads,
      'Worker',
      class extends Worker {
        constructor(file: string | URL, options?: workerThreads.WorkerOptions) {
          if (started.length < 2) super(file, options);
          else super(`throw new Error('out of luck')`, { eval: true });
          started.push(this);
        }
      },
    );
    await assert.rejects(
      openCompute({ threads: 4, bytes: 64 }),
      pressFailure('local-io', /^of 4 threads one did not start: out of luck$/),
    );
    // An ended worker has no number.
    assert.deepEqual(
      started.map(({ threadId }) => threadId),
      [-1, -1, -1],
    );
  });

  it('for WebAssembly without SIMD', async (t) => {
    t.mock.method(WebAssembly, 'validate', () => false);
    await assert.rejects(
      openCompute({ threads: 1, bytes: 64 }),
      pressFailure(
        'unsupported',
        /^WebAssembly has no SIMD here, expected Node\.js 20 or later on a processor with vectors of 128 bits$/,
      ),
    );
  });

  it('for kernels.wasm, which cannot be read', async (t) => {
    const cause = Object.assign(new Error('refused'), { code: 'EACCES' });
    setBuiltin(t, fs.promises, 'readFile', () => Promise.reject<never>(cause));
    await assert.rejects(
      openCompute({ threads: 1, bytes: 64 }),
      pressFailure('local-io', /^kernels\.wasm: permission denied \(EACCES\)$/),
    );
  });
});

describe('workers', () => {
  it('do not keep the process alive', async () => {
    const url = new URL('../../src/kernels/compute.js', import.meta.url);
    const script = `
      const { openCompute } = await import(${JSON.stringify(url)});
      const compute = await openCompute({ threads: 3, bytes: 1000 });
      process.stdout.write(String(compute.threads));`;
    // Far above a start of node, far below for ever.
    const options = { timeout: 15_000 };
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '-e', script],
      options,
    );
    assert.equal(stdout, '3');
  });

  it('end with close, after which nothing runs', async () => {
    const compute = await openCompute({ threads: 3, bytes: 2 * MIB });
    const job = largeMatmul(compute);
    compute.run('matmul', job);
    await compute.close();
    assert.throws(() => compute.run('matmul', job), /after close/);
  });
});
