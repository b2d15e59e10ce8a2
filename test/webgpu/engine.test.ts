import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { MatrixScheme } from '../../src/webgpu/shaders.ts';
import { openDawn } from '../support/dawn.ts';
import { SMALL_PLM } from '../support/hollow-model.ts';
import { logitsOf } from '../support/logits.ts';
import { memoryBundle } from '../support/memory-bundle.ts';
import { memoryModel } from '../support/memory-model.ts';
import { ODD_PLM } from '../support/odd-plm.ts';
import { webgpuRuntime } from '../support/webgpu-runtime.ts';

const IDS = Array.from({ length: 40 }, (_, i) => (i * 37 + 3) % 256);

for (const [name, config] of Object.entries({
  small: { ...SMALL_PLM, maxPositionEmbeddings: 64 },
  odd: { ...ODD_PLM, maxPositionEmbeddings: 64 },
})) {
  for (const scheme of ['f16', 'q8', 'q4'] as const satisfies MatrixScheme[]) {
    it(`logits of ${name} in ${scheme}`, async (t) => {
      const { createEngine } = await webgpuRuntime();
      const device = await openDawn(t);
      device.addEventListener('uncapturederror', (event) =>
        console.log((event as GPUUncapturedErrorEvent).error.message),
      );
      const { manifest, shards, decoded } = await memoryBundle(memoryModel(config), () => scheme);
      const engine = await createEngine(device, manifest);
      t.after(() => engine.dispose());
      for (const [index, shard] of shards.entries()) engine.writeShard(index, shard);
      const expected = await logitsOf(decoded, IDS);
      const rows: Float32Array[] = [];
      const start = performance.now();
      for await (const row of engine.logits(IDS.slice(0, 35))) rows.push(row);
      console.log(name, scheme, 'prefill', performance.now() - start);
      for (const id of IDS.slice(35)) for await (const row of engine.logits([id])) rows.push(row);
      const largest = Math.max(...expected.flatMap((row) => [...row].map(Math.abs)));
      const worst = rows.map(
        (row, t) => Math.max(...row.map((v, i) => Math.abs(v - expected[t]![i]!))) / largest,
      );
      console.log(
        name,
        scheme,
        'worst',
        Math.max(...worst),
        'prefill',
        Math.max(...worst.slice(0, 35)),
        largest,
      );
      assert.equal(rows.length, IDS.length);
      engine.truncate(0);
      const picked = await engine.generate(IDS.slice(0, 10), 8, {});
      console.log([...picked], await engine.stats());
    });
  }
}
