import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { verify } from '../../../src/pipeline/verify.ts';
import { SMALL_PLM } from '../../support/builders/hollow-model.ts';
import { memoryModel } from '../../support/builders/memory-model.ts';
import { ODD_PLM } from '../../support/builders/odd-plm.ts';
import { exportOnnx, openExported } from '../../support/builders/onnx-artifact.ts';

const SCHEMES = ['f32', 'f16', 'q8', 'q4', 'q4f16'];
const TEXT = { maxTokens: 32 };

describe('graphs of sound weights pass with the limits of their schemes', () => {
  for (const scheme of SCHEMES) {
    it(`${scheme}, rows that are not whole blocks`, async (t) => {
      const source = memoryModel(ODD_PLM);
      const graph = await openExported(t, await exportOnnx(t, source, scheme));
      assert.deepEqual((await verify(source, graph, TEXT)).failures, []);
    });

    it(`${scheme} of weights in Q8_0`, async (t) => {
      const source = memoryModel({ ...SMALL_PLM, hiddenSize: 64, kvLoraRank: 64 }, { scheme: 'Q8_0' });
      const graph = await openExported(t, await exportOnnx(t, source, scheme, { allowRequantize: true }));
      assert.deepEqual((await verify(source, graph, TEXT)).failures, []);
    });
  }
});

it('a damaged scale of a row that is not whole blocks fails by the name of its tensor', async (t) => {
  const source = memoryModel(ODD_PLM);
  const folder = await exportOnnx(t, source, 'q4');
  const graph = await openExported(t, folder);
  const scales = graph.graph.graph.initializers.find(({ name }) => name.endsWith('q_b_proj.weight_scales'))!;
  assert.ok('location' in scales.data);
  const file = await open(path.join(folder, 'onnx', scales.data.location), 'r+');
  await file.write(new Uint8Array(Float32Array.of(3).buffer), 0, 4, scales.data.offset);
  await file.close();
  const { failures } = await verify(source, await openExported(t, folder), TEXT);
  assert.match(failures.join('\n'), /q_b_proj\.weight: .* of Q4_0/);
});
