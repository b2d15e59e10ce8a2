import assert from 'node:assert/strict';
import test from 'node:test';
import { Xoshiro128 } from '../../src/runtime/sampling/random.ts';

test('xoshiro128** from the state 1, 2, 3, 4: as its definition says, step by step', () => {
  const random = new Xoshiro128(Uint32Array.of(1, 2, 3, 4));
  const state = [1n, 2n, 3n, 4n] as [bigint, bigint, bigint, bigint];
  const word = (x: bigint) => BigInt.asUintN(32, x);
  const rotate = (x: bigint, count: bigint) => word((x << count) | (x >> (32n - count)));
  for (let step = 0; step < 1000; step++) {
    const expected = word(rotate(word(state[1] * 5n), 7n) * 9n);
    const shifted = word(state[1] << 9n);
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = rotate(state[3], 11n);
    assert.equal(random.nextUint32(), Number(expected), `step ${step}`);
  }
});

test('the first numbers of the state 1, 2, 3, 4, as other implementations publish them', () => {
  const random = new Xoshiro128(Uint32Array.of(1, 2, 3, 4));
  const first = Array.from({ length: 10 }, () => random.nextUint32());
  const published = [11520, 0, 5927040, 70819200, 2031721883];
  published.push(1637235492, 1287239034, 3734860849, 3729100597, 4258142804);
  assert.deepEqual(first, published);
});

test('the seed goes through SplitMix64, whose first two outputs for 1234567 are published', () => {
  const words = [6457827717110365317n, 3203168211198807973n].flatMap((output) => [
    Number(output & 0xffffffffn),
    Number(output >> 32n),
  ]);
  const expected = new Xoshiro128(Uint32Array.from(words));
  const random = Xoshiro128.seeded(1234567);
  for (let i = 0; i < 10; i++) assert.equal(random.nextUint32(), expected.nextUint32());
});

test('floats lie in [0, 1) and spread evenly', () => {
  const random = Xoshiro128.seeded(1);
  const counts = new Uint32Array(10);
  for (let i = 0; i < 100_000; i++) counts[Math.floor(10 * random.nextFloat())]!++;
  // Six standard deviations of a binomial count: sqrt(1e5 * 0.1 * 0.9) = 95.
  for (const count of counts) assert.ok(Math.abs(count - 10_000) < 570, `count ${count}`);
});
