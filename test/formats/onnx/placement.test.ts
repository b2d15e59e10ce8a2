import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { CacheForm, PlmConfig } from '../../../src/core/config.ts';
import { SMALL_PLM } from '../../support/builders/hollow-model.ts';
import { memoryModel } from '../../support/builders/memory-model.ts';
import { ODD_PLM } from '../../support/builders/odd-plm.ts';
import { exportOnnx, openExported } from '../../support/builders/onnx-artifact.ts';
import { NO_GPU, placement } from '../../support/oracles/onnxruntime.ts';

/** Nodes that no layer owns: sizes and the shapes and mask made of them, and integers on the way in. */
const SHARED =
  /^(batch_size|(total_)?sequence_length|shape \[.*\]|mask\/.*|embed\/ids|final\/(count|start))$/;

/** How many there are: the shapes of keys and values by the head are one fewer. */
const SHARED_NODES = { latent: 21, expanded: 20 };

/** Where ONNX Runtime runs a graph when it has a GPU; a copy between the two is a node of its own. */
async function placed(t: TestContext, config: PlmConfig, { scheme, cache }: Form) {
  const artifact = await openExported(t, await exportOnnx(t, memoryModel(config), scheme, { cache }));
  const { CPUExecutionProvider: cpu = [], ...others } = await placement(t, artifact.graphPath!, 'webgpu');
  assert.deepEqual(Object.keys(others), ['WebGpuExecutionProvider']);
  const gpu = others.WebGpuExecutionProvider!;
  return { cpu, gpu, copies: gpu.filter(({ op }) => op.startsWith('Memcpy')).map(({ op }) => op) };
}

interface Form {
  readonly scheme: string;
  readonly cache: CacheForm;
}

describe('with a GPU ONNX Runtime leaves to the CPU what all layers share', { skip: NO_GPU }, () => {
  const layers = (numHiddenLayers: number): PlmConfig => ({
    ...SMALL_PLM,
    numHiddenLayers,
    intermediateSizes: Array<number>(numHiddenLayers).fill(512),
  });

  for (const cache of ['latent', 'expanded'] as const) {
    for (const scheme of ['f32', 'f16', 'q4', 'q4f16']) {
      it(`onnx:${scheme}, ${cache} cache`, async (t) => {
        const form = { scheme, cache };
        const [one, four] = await Promise.all([placed(t, layers(1), form), placed(t, layers(4), form)]);
        assert.deepEqual(four.cpu, one.cpu);
        assert.equal(one.cpu.length, SHARED_NODES[cache]);
        for (const { name } of one.cpu) assert.match(name, SHARED);
        assert.deepEqual(four.copies, one.copies);
        assert.deepEqual(one.copies, Array(3).fill('MemcpyFromHost'));
        for (const layer of [0, 1, 2, 3]) {
          assert.ok(four.gpu.some(({ name }) => name.startsWith(`layers.${layer}/`)));
        }
      });
    }

    it(`onnx:q4 of a PLM with every option and odd sizes, ${cache} cache`, async (t) => {
      const { cpu } = await placed(t, ODD_PLM, { scheme: 'q4', cache });
      assert.equal(cpu.length, SHARED_NODES[cache]);
      for (const { name } of cpu) assert.match(name, SHARED);
    });
  }
});
