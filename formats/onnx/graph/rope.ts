import type { PlmConfig } from '../../../src/core/config.ts';
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

/** Angles of every position, as the runtime computes them: in f64, pair after pair. */
export function ropeAngles({ maxPositionEmbeddings, qkRopeHeadDim, ropeTheta }: PlmConfig): Float64Array {
  const pairs = qkRopeHeadDim / 2;
  const angles = new Float64Array(maxPositionEmbeddings * pairs);
  for (const [pair, frequency] of ropeFrequencies(ropeTheta, qkRopeHeadDim).entries()) {
    for (let position = 0; position < maxPositionEmbeddings; position++) {
      angles[position * pairs + pair] = position * frequency;
    }
  }
  return angles;
}
