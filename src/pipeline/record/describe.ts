import { type PlannedTensor, plannedBytes, plannedRows } from '../../core/export-plan.ts';
import { originOf } from '../../core/hub-origin.ts';
import type { Model } from '../../core/model.ts';
import { columnCount } from '../../core/tensor.ts';
import type { Target } from '../planning/planned-target.ts';
import { VERSION } from '../version.ts';
import type { StoredTensor } from '../writing/stored-tensor.ts';
import type { ManifestArtifact, ManifestSource, ManifestTensor } from './manifest.ts';

/**
 * The source as records describe it. Reads the files that were not read so far, and fails if one has changed.
 */
export async function describeSource(model: Model, signal?: AbortSignal): Promise<ManifestSource> {
  const files: { name: string; bytes: number; sha256: string }[] = [];
  for (const file of model.files) {
    files.push({ name: file.name, bytes: file.bytes, sha256: await file.sha256(signal) });
  }
  const { format, name, origin } = model;
  return { format, name, ...(origin && { origin: originOf(origin) }), files };
}

/** `names`: those of all files by the ones in the plan. */
export function describeArtifact(
  target: Target,
  source: ManifestSource,
  stored: ReadonlyMap<PlannedTensor, StoredTensor>,
  names: ReadonlyMap<string, string>,
): ManifestArtifact {
  const { plan, options, model, passes } = target;
  return {
    target: plan.target,
    version: VERSION,
    source,
    options,
    passes,
    changes: model.changes,
    fallbacks: plan.fallbacks,
    tensors: plan.files.flatMap(({ tensors }) =>
      tensors.map((tensor) => describeTensor(tensor, stored.get(tensor)!)),
    ),
    files: [...new Set(plan.files.map((file) => names.get(file.name)!))],
  };
}

function describeTensor(tensor: PlannedTensor, stored: StoredTensor): ManifestTensor {
  const { name, source, scheme, rows } = tensor;
  const shape = rows === undefined ? source.shape : [plannedRows(tensor).count, columnCount(source)];
  return { name, source: source.name, scheme, shape, bytes: plannedBytes(tensor), ...stored };
}
