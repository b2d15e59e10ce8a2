import { PressError } from '../../../src/core/errors.ts';
import { ELEMENT_TYPES, type Initializer } from '../../../src/onnx/graph.ts';
import { fromHalf } from '../../../src/schemes/half.ts';
import { ropeTables } from '../graph/rope.ts';
import type { OnnxArtifact } from './open.ts';

/** How far the element of a table may be off, by its type: one rounding. */
const TABLE_ERROR = { float: 2 ** -23, float16: 2 ** -11 } as const;

/**
 * Compares the constants that a graph computes with to the geometry that its metadata states: an epsilon or a
 * base of RoPE that is off shows little in logits.
 * @throws PressError verification by the node or the table that differs.
 */
export async function checkGraphHyperparameters(artifact: OnnxArtifact): Promise<void> {
  const { config, graph } = artifact;
  const expected = [
    ['epsilon', config.rmsNormEps, 'rms_norm_eps'],
    ['interleaved', config.ropeInterleave ? 1 : 0, 'rope_interleave'],
  ] as const;
  for (const { name, attributes } of graph.graph.nodes) {
    for (const [attribute, value, of] of expected) {
      const got = attributes[attribute]?.value as number | undefined;
      if (got === undefined || Math.fround(got) === Math.fround(value)) continue;
      const field = `node ${JSON.stringify(name)} ${attribute}`;
      throw differs(artifact, field, Number(got.toPrecision(7)), `${value} by ${of}`);
    }
  }
  const tables = ropeTables(config);
  for (const [name, values] of [
    ['rope.cos', tables.cos],
    ['rope.sin', tables.sin],
  ] as const) {
    await checkTable(artifact, name, values);
  }
}

async function checkTable(artifact: OnnxArtifact, name: string, expected: Float32Array): Promise<void> {
  const { maxPositionEmbeddings, qkRopeHeadDim } = artifact.config;
  const pairs = qkRopeHeadDim / 2;
  const initializer = artifact.graph.graph.initializers.find((each) => each.name === name);
  const shape = [maxPositionEmbeddings, pairs];
  if (initializer?.shape.join() !== shape.join()) {
    const field = `initializer ${JSON.stringify(name)} shape`;
    throw differs(artifact, field, initializer?.shape, `[${shape.join(', ')}] by max_position_embeddings`);
  }
  const values = await floatsOf(artifact, initializer);
  const error = TABLE_ERROR[initializer.type === 'float16' ? 'float16' : 'float'];
  const at = values.findIndex((value, index) => !(Math.abs(value - expected[index]!) <= error));
  if (at < 0) return;
  const place = `[${Math.floor(at / pairs)}, ${at % pairs}]`;
  const field = `initializer ${JSON.stringify(name)} ${place}`;
  throw differs(artifact, field, values[at], `${expected[at]} by rope_theta`);
}

async function floatsOf(artifact: OnnxArtifact, initializer: Initializer): Promise<Float32Array> {
  const { type, shape } = initializer;
  const count = shape.reduce((product, size) => product * size, 1);
  const bytes = new Uint8Array(count * ELEMENT_TYPES[type].bytes);
  await artifact.readInitializer(initializer, bytes);
  if (type === 'float') return new Float32Array(bytes.buffer);
  return Float32Array.from(new Uint16Array(bytes.buffer), fromHalf);
}

function differs({ files }: OnnxArtifact, field: string, got: unknown, expected: string): PressError {
  const what = 'the graph computes with another value than its metadata states';
  return new PressError('verification', { file: files[0]!.name, field, what, got, expected });
}
