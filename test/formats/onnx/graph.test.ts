import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DataFiles } from '../../../formats/onnx/data-files.ts';
import { decodeModel } from '../../../formats/onnx/decode.ts';
import { planTarget } from '../../../src/pipeline/planning/target.ts';
import { hollowModel, SMALL_PLM } from '../../support/builders/hollow-model.ts';

describe('a planned graph', () => {
  it('has the epsilon of the model in every norm', async () => {
    const model = hollowModel({ ...SMALL_PLM, rmsNormEps: 0.0078125 });
    const { plan } = await planTarget(model, 'onnx:f32');
    const graph = plan.files.find(({ name }) => name.endsWith('.onnx'))!;
    const { nodes } = decodeModel(graph.head[0]!.bytes, graph.name).graph;
    const norms = nodes.filter(({ opType }) => opType.includes('LayerNormalization'));
    // Three of a layer, and the last.
    assert.equal(norms.length, 3 * 2 + 1);
    for (const { name, attributes } of norms) assert.equal(attributes.epsilon?.value, 0.0078125, name);
  });

  it('begins weights on cache lines, and those of 64 KiB and more on pages', () => {
    const files = new DataFiles('model.onnx', 500_000);
    const placed: [name: string, offset: number][] = [];
    const sizes = [[100], [65_535], [65_536], [7, 9], [400_000]];
    for (const parts of sizes) {
      files.place(parts, ({ name }, places) => {
        for (const { offset } of places) placed.push([name, offset]);
      });
    }
    assert.deepEqual(placed, [
      ['model.onnx_data', 0],
      ['model.onnx_data', 128],
      ['model.onnx_data', 69_632],
      ['model.onnx_data', 135_168],
      ['model.onnx_data', 135_232],
      ['model.onnx_data_1', 0],
    ]);
    assert.deepEqual(
      files.planned('onnx').map(({ name, bytes }) => [name, bytes]),
      [
        ['onnx/model.onnx_data', 135_241],
        ['onnx/model.onnx_data_1', 400_000],
      ],
    );
  });
});
