import { GEOMETRIES } from '../../fixtures/geometry.ts';
import { bundleModel } from '../../formats/webgpu/geometry.ts';
import { storedLayout } from '../../formats/webgpu/stored-form.ts';
import type { PlmConfig } from '../../src/core/config.ts';
import { plmTensors } from '../../src/core/names.ts';
import { toHalf } from '../../src/schemes/half.ts';
import type { BundleManifest, BundleTensor } from '../../src/webgpu/manifest.ts';
import { BLOCK, scaleRowBytes, storedColumns, valueRowBytes } from '../../src/webgpu/planes.ts';
import { uniform } from '../../test/support/builders/samples.ts';

/** A layer of PLM-1.8B in q4, with fewer rows of the vocabulary. */
export const PLM_LAYER: PlmConfig = {
  ...GEOMETRIES['plm-1.8b']!.config,
  numHiddenLayers: 1,
  intermediateSizes: [8192],
  vocabSize: 2048,
};

/** Its weights lie in one shard, each plane in one piece. */
export const LAYER_MANIFEST: Pick<BundleManifest, 'model' | 'tensors'> = {
  model: bundleModel(PLM_LAYER),
  tensors: layerTensors(),
};

function layerTensors(): BundleTensor[] {
  let end = 0;
  const place = (rows: number, bytes: number) => {
    const offset = end;
    end += Math.ceil((rows * bytes) / 256) * 256;
    return [{ shard: 0, offset, rows }];
  };
  return plmTensors(PLM_LAYER).map((slot): BundleTensor => {
    const layout = storedLayout(slot);
    const scheme = slot.shape.length === 1 ? 'f32' : 'q4';
    const tensor = { name: slot.name, scheme, ...layout } as const;
    const scales = scheme === 'f32' ? [] : place(layout.rows, scaleRowBytes(tensor));
    return { ...tensor, values: place(layout.rows, valueRowBytes(tensor)), scales };
  });
}

/**
 * Weights that do not ask how a model would behave: the residual stream keeps what the embedding puts there,
 * all positive, and a neuron fires where its row of up_proj is positive, as a share of them is. Any numbers
 * take the same time.
 */
export function layerWeights(firing: number): Uint8Array<ArrayBuffer> {
  const next = uniform(1);
  const last = LAYER_MANIFEST.tensors.at(-1)!;
  const shard = new Uint8Array(last.values[0]!.offset + last.rows * valueRowBytes(last) + 256);
  for (const tensor of LAYER_MANIFEST.tensors) {
    const [values] = tensor.values;
    const rowBytes = valueRowBytes(tensor);
    if (tensor.scheme === 'f32') {
      new Float32Array(shard.buffer, values!.offset, tensor.columns).fill(1);
      continue;
    }
    for (let row = 0; row < tensor.rows; row++) {
      const codes = codesOf(tensor.name, () => next() < firing);
      const at = values!.offset + row * rowBytes;
      for (let i = 0; i < rowBytes; i++) shard[at + i] = codes(next());
    }
    const scales = tensor.rows * (storedColumns(tensor) / BLOCK);
    const scale = /o_proj|down_proj/.test(tensor.name) ? 0 : 0.01;
    new Uint16Array(shard.buffer, tensor.scales[0]!.offset, scales).fill(toHalf(scale));
  }
  return shard;
}

/** A row's bytes of two codes: 8 is zero. */
function codesOf(name: string, fires: () => boolean): (random: number) => number {
  const positive = (random: number) => 0x99 + Math.floor(6 * random) * 0x11;
  const negative = (random: number) => Math.floor(8 * random) * 0x11;
  if (name.includes('embed_tokens')) return positive;
  if (name.includes('up_proj')) return fires() ? positive : negative;
  return (random) => Math.floor(256 * random);
}
