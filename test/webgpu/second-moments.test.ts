import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { COPY_DST, COPY_SRC, MAP_READ, STORAGE, UNIFORM } from '../../src/webgpu/engine/buffer-usage.ts';
import { DeviceWeights } from '../../src/webgpu/engine/device-weights.ts';
import { bindParams } from '../../src/webgpu/engine/dispatch.ts';
import { KernelCompiler } from '../../src/webgpu/engine/kernel.ts';
import { PARAMS_STRIDE } from '../../src/webgpu/engine/params.ts';
import { GATHERED_TOKENS, MomentSums, MULTIPLIED_TIMES } from '../../src/webgpu/statistics/moment-sums.ts';
import { SummedStage } from '../../src/webgpu/statistics/summed-stage.ts';
import { bandsOf, TILE } from '../../src/webgpu/statistics/triangle-tiles.ts';
import { NO_DAWN, openDawn } from '../support/drivers/dawn.ts';

/** Batches of tokens, and how often each of these counts. */
type Batches = readonly (readonly [tokens: number, weight: number])[];

/** Small whole numbers, whose sums f32 holds. */
function exampleValue(token: number, channel: number): number {
  return ((token * 31 + channel * 17 + ((token * channel) % 7)) % 9) - 4;
}

/** What a GPU makes of vectors of so many channels, which begin behind others. */
async function measured(
  t: TestContext,
  channels: number,
  batches: Batches,
  value = exampleValue,
): Promise<Float64Array> {
  const device = await openDawn(t);
  const [offset, stride] = [3, channels + 5];
  const triangle = new Float64Array((channels * (channels + 1)) / 2);
  const compiler = new KernelCompiler(device);
  const moments = new MomentSums(device, compiler, channels, triangle);
  const buffer = (size: number, usage: number) => device.createBuffer({ size, usage });
  const hidden = buffer(4 * 32 * stride, STORAGE | COPY_SRC | COPY_DST);
  const params = buffer(PARAMS_STRIDE, UNIFORM | COPY_DST);
  const gather = moments.gather(hidden, { columns: channels, stride, offset, scale: 'none' }, []);
  const stage = new SummedStage(device, {
    weights: new DeviceWeights(device, { tensors: [] }),
    places: undefined,
    moments: [moments],
    forward: bindParams(device, [await gather], params),
    products: bindParams(device, await Promise.all(moments.multiply()), params),
    hidden,
    sums: buffer(4, STORAGE | COPY_SRC),
    params,
    staging: [0, 1].map(() => buffer(4 + hidden.size, MAP_READ | COPY_DST)),
  });
  let first = 0;
  for (const [tokens, weight] of batches) {
    const values = new Float32Array(tokens * stride).fill(100);
    for (let token = 0; token < tokens; token++) {
      for (let channel = 0; channel < channels; channel++) {
        values[token * stride + offset + channel] = value(first + token, channel);
      }
    }
    await stage.read({ tokens, weight, position: 0, hidden: values, use: async () => {} });
    first += tokens;
  }
  await stage.end();
  return triangle;
}

function expected(channels: number, batches: Batches, value = exampleValue): Float64Array {
  const weights = batches.flatMap(([tokens, weight]) => new Array<number>(tokens).fill(weight));
  const triangle = new Float64Array((channels * (channels + 1)) / 2);
  for (const [token, weight] of weights.entries()) {
    const values = Array.from({ length: channels }, (_, channel) => value(token, channel));
    let at = 0;
    for (let i = 0; i < channels; i++) {
      for (let j = i; j < channels; j++) triangle[at++]! += weight * values[i]! * values[j]!;
    }
  }
  return triangle;
}

describe('second moments of a GPU', { skip: NO_DAWN }, () => {
  for (const channels of [1, TILE, TILE + 1, 3 * TILE - 7]) {
    it(`have every pair of ${channels} channels`, async (t) => {
      for (const batches of [
        [[1, 1]],
        [
          [17, 1],
          [32, 1],
          [3, 1],
        ],
      ] as Batches[]) {
        assert.deepEqual(await measured(t, channels, batches), expected(channels, batches));
      }
    });
  }

  it('count tokens by their weights', async (t) => {
    const batches: Batches = [
      [32, 2],
      [5, 2],
      [1, 0.5],
      [32, 1],
      [7, 2],
    ];
    assert.deepEqual(await measured(t, 70, batches), expected(70, batches));
  });

  it('are added up in f64 before f32 does not hold them any more', async (t) => {
    // Gathered by 243: odd sums, below 2^24 for 32 of them, and above for all.
    const batches = Array.from({ length: 311 }, () => [27, 1] as const);
    assert.ok(243 * MULTIPLIED_TIMES * 45 ** 2 < 2 ** 24 && 243 + 27 > GATHERED_TOKENS);
    const value = (token: number, channel: number) => (channel === 0 ? 45 : exampleValue(token, channel));
    const sums = await measured(t, 3, batches, value);
    assert.ok(sums[0]! > 2 ** 24 && Math.fround(sums[0]!) !== sums[0]!);
    assert.deepEqual(sums, expected(3, batches, value));
  });

  it('lie in as many buffers as they need', async (t) => {
    const channels = 65 * TILE - 3;
    const batches: Batches = [[2, 1]];
    assert.deepEqual(await measured(t, channels, batches), expected(channels, batches));
  });
});

it('bands hold whole rows of tiles, and one that is larger than they should be', () => {
  const tile = 4 * TILE * TILE;
  const rows = (channels: number, most: number) => bandsOf(channels, most).map((band) => band.rows);
  assert.deepEqual(rows(4 * TILE, 100 * tile), [4]);
  assert.deepEqual(rows(4 * TILE, 7 * tile), [2, 2]);
  assert.deepEqual(rows(4 * TILE - 1, 4 * tile), [1, 1, 2]);
  assert.deepEqual(rows(4 * TILE, tile), [1, 1, 1, 1]);
  assert.deepEqual(bandsOf(4 * TILE, 7 * tile)[1], { sideTiles: 4, firstRow: 2, rows: 2, bytes: 3 * tile });
});
