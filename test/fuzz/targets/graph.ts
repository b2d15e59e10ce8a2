import assert from 'node:assert/strict';
import { decodeModel } from '../../../formats/onnx/decode.ts';
import { encodeModel } from '../../../formats/onnx/encode.ts';
import { isOnnxArtifact } from '../../../formats/onnx/import/open.ts';
import { isExternal } from '../../../src/onnx/graph.ts';
import { mutateBytes } from '../mutate/bytes.ts';
import { mutateJson } from '../mutate/json.ts';
import { mutateProtobuf, ONNX_MODEL } from '../mutate/protobuf.ts';
import type { Mutator, Target } from '../target.ts';
import { useModel } from '../use-model.ts';
import { artifactSubject, converted } from './artifact.ts';

/** Folders of an ONNX graph with its weights, config and tokenizer. */
export const GRAPH: Target = {
  name: 'graph',
  cases: 400,
  failures: ['usage'],
  async setUp() {
    const seeds = [await converted('onnx:q4'), await converted('onnx:f32')];
    return artifactSubject(seeds, mutatorOf, async (model) => {
      if (!isOnnxArtifact(model)) throw new Error(`opens as ${model.format}`);
      await useModel(model);
      for (const initializer of model.graph.graph.initializers) {
        const { data } = initializer;
        await model.readInitializer(initializer, new Uint8Array(data.length));
        if (isExternal(data) && /[\\/]/.test(data.location)) throw new Error(`reads ${data.location}`);
      }
      const encoded = encodeModel(model.graph);
      assert.deepEqual(encodeModel(decodeModel(encoded, 'model.onnx')), encoded);
    });
  },
};

function mutatorOf(name: string): Mutator {
  if (name.endsWith('.onnx')) return mutateProtobuf(ONNX_MODEL);
  return name.endsWith('.json') ? mutateJson : mutateBytes;
}
