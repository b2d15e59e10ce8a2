import { createHash } from 'node:crypto';
import { sha256 } from '../../core/json/hashes.ts';
import { array, object, type Read, string } from '../../core/json/schema.ts';
import type { Model } from '../../core/model.ts';
import type { Target } from '../planning/planned-target.ts';
import { describeSource } from '../record/describe.ts';
import { manifestSource, recordedTarget } from '../record/manifest.ts';
import { VERSION } from '../version.ts';

/** A conversion that is split: what all of its parts have in common. */
export const partJob = object({
  /** Of plmpress. */
  version: string,
  source: manifestSource,
  /** In the order in which they were planned. */
  targets: array(recordedTarget),
  /** Of all that is known before weights are read: heads of files, places of tensors. */
  plan: sha256,
});

export type PartJob = Read<typeof partJob>;

/** Describes a planned conversion. Reads the files of the source that have not been read yet. */
export async function describeJob(
  model: Model,
  targets: readonly Target[],
  signal?: AbortSignal,
): Promise<PartJob> {
  return {
    version: VERSION,
    source: await describeSource(model, signal),
    targets: targets.map(({ plan, options, passes }) => ({ target: plan.target, options, passes })),
    plan: planDigest(targets),
  };
}

export function planDigest(targets: readonly Target[]): string {
  const hash = createHash('sha256');
  for (const { plan, model } of targets) {
    hash.update(JSON.stringify([plan.target, plan.fallbacks, model.changes]));
    for (const { name, bytes, head, tensors } of plan.files) {
      const places = tensors.map(({ source, name, scheme, rows, offset, packing }) => [
        ...[source.name, source.shape, name, scheme, rows, offset, packing?.parts],
      ]);
      hash.update(
        JSON.stringify([name, bytes, head.map((part) => [part.offset, part.bytes.length]), places]),
      );
      for (const part of head) hash.update(part.bytes);
    }
  }
  return hash.digest('hex');
}
