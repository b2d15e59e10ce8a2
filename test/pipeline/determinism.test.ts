import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { planGguf } from '../../formats/gguf/export.ts';
import { openHfFolder } from '../../formats/hf/import.ts';
import { closeModel } from '../../src/core/model.ts';
import { openCompute } from '../../src/kernels/compute.ts';
import { transcode } from '../../src/pipeline/transcode.ts';
import { importanceBytes, SLOTS } from '../../src/pipeline/working-memory.ts';
import { randomImatrix } from '../support/imatrix-files.ts';
import { fixture } from '../support/paths.ts';

/** SHA-256 of the tensors of plm-tiny as a GGUF, by the way they were made. */
async function digest(recipe: string, weighed: boolean, threads: number, slotBytes: number): Promise<string> {
  const model = await openHfFolder(fixture('plm-tiny'));
  const options = { recipe, ...(weighed && { imatrix: randomImatrix(model.config) }) };
  const [file] = planGguf(model, options).files;
  const { tensors, bytes } = file!;
  const content = new Uint8Array(bytes);
  const write = async (rows: Uint8Array, offset: number) => content.set(rows, offset);
  const compute = await openCompute({ threads, bytes: SLOTS * slotBytes + importanceBytes(tensors) });
  try {
    const transfers = tensors.map((tensor) => ({ tensor, write }));
    await transcode(transfers, { compute, slotBytes, files: model.files });
  } finally {
    await compute.close();
    await closeModel(model);
  }
  return createHash('sha256').update(content).digest('hex');
}

describe('bytes are the same on any number of threads and in chunks of any size', () => {
  for (const weighed of [false, true]) {
    for (const recipe of ['q4_k_m', 'q3_k_l', 'iq4_xs', 'q8_0']) {
      it(`${recipe}${weighed ? ' with importances' : ''}`, async () => {
        const reference = await digest(recipe, weighed, 1, 8e6);
        for (const threads of [1, 2, 5]) {
          for (const slotBytes of [64e3, 8e6, 256e6]) {
            assert.equal(await digest(recipe, weighed, threads, slotBytes), reference, `${threads} threads`);
          }
        }
      });
    }
  }
});
