import { planSafetensors, type SafetensorsPlan } from '../../../fixtures/safetensors-writer.ts';
import type { TensorEntry } from '../../../formats/safetensors/header.ts';
import { uniform } from './samples.ts';

/**
 * A safetensors file as raw parts, right or wrong: a header (JSON text, bytes, or a value to stringify),
 * `data` zero bytes after it, and the length that stands before it, that of the header unless given.
 */
export function rawSafetensors(header: string | Uint8Array | object, data = 0, length?: bigint): Buffer {
  const isBytes = header instanceof Uint8Array;
  const bytes = isBytes ? header : Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(length ?? BigInt(bytes.length));
  return Buffer.concat([prefix, bytes, Buffer.alloc(data)]);
}

/** A well-formed file of these tensors, filled with seeded noise. */
export function noiseSafetensors(
  tensors: readonly Pick<TensorEntry, 'name' | 'dtype' | 'shape'>[],
  seed: number,
  metadata: Readonly<Record<string, string>> = { format: 'pt' },
): { readonly content: Uint8Array; readonly plan: SafetensorsPlan } {
  const plan = planSafetensors(tensors, metadata);
  const next = uniform(seed);
  const content = new Uint8Array(plan.bytes);
  // Bytes below 0x3f make every float of every dtype finite.
  for (let i = plan.head.length; i < content.length; i++) content[i] = Math.floor(next() * 0x3f);
  content.set(plan.head);
  return { content, plan };
}
