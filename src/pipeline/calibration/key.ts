import { createHash } from 'node:crypto';
import type { Chunk } from '../../../calibration/chunks.ts';
import type { Model } from '../../core/model.ts';
import { VERSION } from '../version.ts';

/** What sums depend on beside the model. */
export interface CalibrationWork {
  readonly chunks: readonly Chunk[];
  readonly moments: readonly string[];
  /** Devices round differently. */
  readonly device: string;
}

/** Tells the sums over texts from all others, in hex. Reads what is left to read of the model's files. */
export async function calibrationKey(model: Model, work: CalibrationWork): Promise<string> {
  const hash = createHash('sha256')
    .update(VERSION)
    .update(JSON.stringify(work))
    .update(JSON.stringify(model.changes));
  for (const file of model.files) hash.update(await file.sha256());
  return hash.digest('hex');
}
