import { unsupported } from '../../src/core/errors.ts';
import { positive } from '../../src/core/geometry-members.ts';
import type { JsonField } from '../../src/core/json/json-field.ts';

/** What config.json says of RoPE, as far as a PLM has a choice. */
export interface RopeParameters {
  readonly theta: number;
  /** Members that have no effect, one line each. */
  readonly notes: readonly string[];
}

/** Of the published PLMConfig. */
const DEFAULT_THETA = 100_000;

/** Objects that describe RoPE: Transformers 4 writes the first, Transformers 5 the second and reads both. */
const OBJECTS = ['rope_scaling', 'rope_parameters'];

/** Members that scale RoPE unless they are 1. */
const FACTORS = ['factor', 'attention_factor'];
/** Members that belong to kinds of scaling. */
const OF_SCALING = [
  ...['short_factor', 'long_factor', 'low_freq_factor', 'high_freq_factor'],
  ...['beta_fast', 'beta_slow', 'mscale', 'mscale_all_dim', 'mrope_section'],
];

/**
 * Reads theta and holds the rest to plain RoPE. Transformers 4 takes `rope_theta` beside the other fields,
 * Transformers 5 the one inside of `rope_parameters` or `rope_scaling` first: where they differ, the model
 * depends on the version, and the file is refused.
 * @throws PressError `invalid-input` for malformed or contradicting values, `unsupported` for scaled RoPE.
 */
export function readRope(config: JsonField): RopeParameters {
  assertWholeHead(config);
  const notes: string[] = [];
  let first = config.at('rope_theta').optional();
  let theta = first && positive(first);
  for (const key of OBJECTS) {
    const rope = config.at(key).optional();
    if (rope === undefined) continue;
    notes.push(...assertPlain(rope));
    const field = rope.at('rope_theta').optional();
    const inner = field && positive(field);
    if (theta !== undefined && inner !== undefined && inner !== theta) {
      throw field!.unexpected(`${theta}, as ${first!.field} says`);
    }
    first ??= field;
    theta ??= inner;
  }
  return { theta: theta ?? DEFAULT_THETA, notes };
}

/** Refuses all but plain RoPE; returns a note for each member that would scale with another type. */
function assertPlain(rope: JsonField): string[] {
  for (const [, member] of rope.entries()) {
    if (member.value instanceof Map) throw refused(member, 'one RoPE for all layers');
  }
  assertWholeHead(rope);
  // Transformers 4 prefers `type`, Transformers 5 `rope_type`.
  const types = ['rope_type', 'type'].flatMap((key) => rope.at(key).optional() ?? []);
  for (const type of types) {
    const isPlain = type.value === 'default' || (type.value === 'linear' && rope.at('factor').value === 1);
    if (!isPlain) throw refused(type, 'default');
  }
  const scaling = [
    ...FACTORS.map((key) => rope.at(key)).filter(({ value }) => value !== 1),
    ...OF_SCALING.map((key) => rope.at(key)),
  ].flatMap((field) => field.optional() ?? []);
  if (types.length === 0 && scaling.length > 0) throw refused(rope.at('type'), 'default');
  return scaling.map(({ file, field }) => `${file}: ${field} ignored, plain RoPE is not scaled`);
}

function assertWholeHead(object: JsonField): void {
  const share = object.at('partial_rotary_factor').optional();
  if (share !== undefined && share.number() !== 1) throw refused(share, '1: all of qk_rope_head_dim rotates');
}

function refused({ file, field, value }: JsonField, expected: string) {
  return unsupported({ file, field, what: 'not supported', got: value, expected });
}
