import type { PlmConfig } from '../../core/config.ts';
import { rotation } from '../../core/elementary/rotation.ts';
import { ropeFrequencies } from '../../core/rope.ts';
import type { SharedViews } from '../../kernels/memory.ts';
import { type Allocator, allocFloats } from '../allocator.ts';
import type { Rope } from '../operations.ts';

/** Room for the rotations of `positions` positions; `fillRopeTable` writes them. */
export function placeRope(config: PlmConfig, positions: number, allocator: Allocator): Rope {
  const dim = config.qkRopeHeadDim;
  return {
    table: allocFloats(allocator, positions * dim),
    dim,
    interleaved: config.ropeInterleave ? 1 : 0,
  };
}

/**
 * Writes cos and sin side by side, dim/2 pairs per position; `sign` -1: of the rotations back. Angles are f64:
 * an f32 angle of position 4095 is off by up to 1e-4.
 */
export function fillRopeTable(
  views: SharedViews,
  rope: Rope,
  theta: number,
  positions: number,
  sign: 1 | -1 = 1,
): void {
  const { table, dim } = rope;
  const frequencies = ropeFrequencies(theta, dim);
  for (let position = 0; position < positions; position++) {
    const row = views.floats(table + 4 * position * dim, dim);
    for (const [i, frequency] of frequencies.entries()) {
      const { cos, sin } = rotation(position * frequency);
      row[2 * i] = cos;
      row[2 * i + 1] = sign * sin;
    }
  }
}
