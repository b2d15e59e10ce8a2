import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { planSafetensors } from '../../../fixtures/safetensors-writer.ts';
import { DTYPE_BITS, type Dtype } from '../../../formats/safetensors/dtype.ts';
import { readHeader } from '../../../formats/safetensors/reader.ts';
import { InputFile } from '../../../src/io/input-file.ts';
import { noiseSafetensors } from '../../support/builders/safetensors-builder.ts';
import { uniform } from '../../support/builders/samples.ts';
import { tensorsByPackage } from '../../support/oracles/safetensors.ts';
import { fixture } from '../../support/paths.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/** Dtypes of whole bytes: any shape of them is well-formed. */
const WHOLE = (Object.keys(DTYPE_BITS) as Dtype[]).filter((dtype) => DTYPE_BITS[dtype] % 8 === 0);

function randomTensors(seed: number) {
  const next = uniform(seed);
  const below = (n: number) => Math.floor(next() * n);
  return Array.from({ length: 1 + below(8) }, (_, i) => ({
    name: `layer.${i}.${'x'.repeat(below(5))}`,
    dtype: WHOLE[below(WHOLE.length)]!,
    shape: Array.from({ length: below(4) }, () => below(5)),
  }));
}

/** Our streaming reader and the npm package give the same tensors of `file`, with the same bytes. */
async function assertReadersAgree(file: string): Promise<number> {
  const expected = tensorsByPackage(readFileSync(file));
  const input = await InputFile.open(file, 'streamed');
  try {
    const { tensors } = await readHeader(input);
    assert.deepEqual([...tensors.keys()].sort(), [...expected.keys()].sort());
    for (const [name, { offset, bytes }] of tensors) {
      const streamed = new Uint8Array(bytes);
      await input.readInto(streamed, offset);
      assert.deepEqual(streamed, expected.get(name));
    }
    return tensors.size;
  } finally {
    await input.close();
  }
}

test('both readers agree on every tensor of plm-tiny', async () => {
  assert.equal(await assertReadersAgree(fixture('plm-tiny', 'model.safetensors')), 38);
});

test('both readers agree on random files', async (t) => {
  const file = path.join(temporaryFolder(t), 'random.safetensors');
  for (let seed = 1; seed <= 50; seed++) {
    writeFileSync(file, noiseSafetensors(randomTensors(seed), seed).content);
    await assertReadersAgree(file);
  }
});

test('the writer is deterministic and orders as the crate does', () => {
  const tensors = [
    { name: 'b', dtype: 'BF16', shape: [3] },
    { name: '10', dtype: 'F32', shape: [2, 2] },
    { name: 'a', dtype: 'BF16', shape: [1] },
    { name: '9', dtype: 'F32', shape: [] },
    { name: 'z', dtype: 'I64', shape: [0] },
  ] as const;
  const plan = planSafetensors(tensors, { format: 'pt' });
  assert.deepEqual(
    plan.tensors.map(({ name }) => name),
    ['z', '10', '9', 'a', 'b'],
  );
  assert.equal(plan.head.length % 8, 0, 'data is aligned');
  assert.equal(plan.bytes, plan.head.length + 16 + 4 + 2 + 6);
  assert.equal(
    Buffer.from(plan.head.subarray(8)).toString().trimEnd(),
    '{"__metadata__":{"format":"pt"},' +
      '"z":{"dtype":"I64","shape":[0],"data_offsets":[0,0]},' +
      '"10":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},' +
      '"9":{"dtype":"F32","shape":[],"data_offsets":[16,20]},' +
      '"a":{"dtype":"BF16","shape":[1],"data_offsets":[20,22]},' +
      '"b":{"dtype":"BF16","shape":[3],"data_offsets":[22,28]}}',
  );
  assert.deepEqual(planSafetensors(tensors.toReversed(), { format: 'pt' }), plan);
});
