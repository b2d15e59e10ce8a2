import { createHash } from 'node:crypto';
import type { Model } from '../../core/model.ts';
import { planDigest } from '../parts/job.ts';
import type { Target } from '../planning/planned-target.ts';
import { VERSION } from '../version.ts';

/**
 * Tells a conversion from others by all that is known before weights are read, in hex. What the weights are
 * is told by the hashes of a ledger.
 */
export function jobKey({ format, name, origin, files }: Model, targets: readonly Target[]): string {
  const job = {
    version: VERSION,
    format,
    name,
    plan: planDigest(targets),
    origin: origin && [origin.repository, origin.revision],
    files: files.map((file) => [file.name, file.bytes]),
    targets: targets.map(({ options, passes }) => [options, passes]),
  };
  return createHash('sha256').update(JSON.stringify(job)).digest('hex');
}
