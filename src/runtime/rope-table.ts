import type { PlmConfig } from '../core/config.ts';
import type { SharedViews } from '../kernels/memory.ts';
import { type Allocator, allocFloats } from './allocator.ts';
import type { Rope } from './operations.ts';

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
 * Writes cos and sin side by side, dim/2 pairs a position: pair i turns by position * theta^(-2i/dim)
 * (RoFormer, arXiv 2104.09864, section 3.2.2). Angles are f64: an f32 angle of position 4095 is off by up to 1e-4.
 */
export function fillRopeTable(views: SharedViews, rope: Rope, theta: number, positions: number): void {
  const { table, dim } = rope;
  const frequencies = Array.from({ length: dim / 2 }, (_, i) => theta ** ((-2 * i) / dim));
  for (let position = 0; position < positions; position++) {
    const row = views.floats(table + 4 * position * dim, dim);
    for (const [i, frequency] of frequencies.entries()) {
      row[2 * i] = Math.cos(position * frequency);
      row[2 * i + 1] = Math.sin(position * frequency);
    }
  }
}
