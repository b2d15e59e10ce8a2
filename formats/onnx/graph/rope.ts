import type { PlmConfig } from '../../../src/core/config.ts';
import { rotation } from '../../../src/core/elementary/rotation.ts';
import { ropeFrequencies } from '../../../src/core/rope.ts';
import { type GraphBuilder, int } from './builder.ts';
import type { GraphInputs } from './inputs.ts';

/** Names of the constants `[max_position_embeddings, qk_rope_head_dim / 2]`. */
export interface RopeTables {
  readonly cos: string;
  readonly sin: string;
}

/** Rotates `[batch, heads, sequence, qk_rope_head_dim]` by the positions of the inputs. */
export function addRope(
  graph: GraphBuilder,
  name: string,
  x: string,
  { config, inputs, rope }: { config: PlmConfig; inputs: GraphInputs; rope: RopeTables },
): string {
  return graph.add('RotaryEmbedding', name, [x, inputs.positions, rope.cos, rope.sin], {
    domain: 'com.microsoft',
    attributes: { interleaved: int(config.ropeInterleave ? 1 : 0) },
  });
}

/**
 * Cosines and sines of every position, pair after pair, rounded to f32. The runtime computes its own in f64.
 */
export function ropeTables({ maxPositionEmbeddings, qkRopeHeadDim, ropeTheta }: PlmConfig): {
  readonly cos: Float32Array;
  readonly sin: Float32Array;
} {
  const pairs = qkRopeHeadDim / 2;
  const cos = new Float32Array(maxPositionEmbeddings * pairs);
  const sin = new Float32Array(maxPositionEmbeddings * pairs);
  for (const [pair, frequency] of ropeFrequencies(ropeTheta, qkRopeHeadDim).entries()) {
    for (let position = 0; position < maxPositionEmbeddings; position++) {
      const turned = rotation(position * frequency);
      cos[position * pairs + pair] = turned.cos;
      sin[position * pairs + pair] = turned.sin;
    }
  }
  return { cos, sin };
}
