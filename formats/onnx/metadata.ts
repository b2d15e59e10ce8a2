import type { CacheForm } from '../../src/core/config.ts';
import { repositoryUrl } from '../../src/core/hub-origin.ts';
import type { Model } from '../../src/core/model.ts';
import { originOf } from '../../src/core/statistics.ts';
import type { Quality } from '../../src/passes/rounding/calibrated-rounding.ts';
import { plmConfigText } from './folder/plm-config.ts';

/** Keys of `metadata_props`. */
export const METADATA = {
  scheme: 'plmpress.scheme',
  cache: 'plmpress.cache',
  /** Geometry of the model in the graph, as `plmConfigText` writes it. */
  config: 'plmpress.config',
  /** Where the weights come from. */
  name: 'plmpress.source.name',
  format: 'plmpress.source.format',
  repository: 'plmpress.source.repository',
  commit: 'plmpress.source.commit',
  license: 'plmpress.source.license',
  baseModels: 'plmpress.source.base_models',
  /** Passes that have changed the weights. */
  passes: 'plmpress.passes',
  /** Name and SHA-256 of the importances, or of the text, that weighed their rounding. */
  calibration: 'plmpress.calibration',
  quality: 'plmpress.quality',
} as const;

/** Provenance, and what it takes to read the model back. Nothing of the machine or of the time. */
export function graphMetadata(
  model: Model,
  {
    scheme,
    cache,
    quality,
  }: { readonly scheme: string; readonly cache: CacheForm; readonly quality: Quality },
): Record<string, string> {
  const { name, format, origin, card, importances, statistics } = model;
  const calibration =
    (importances && `${importances.name} ${importances.sha256}`) ??
    (quality === 'best' && statistics ? originOf(statistics) : undefined);
  const passes = [...new Set(model.changes.map((change) => change.pass))];
  return {
    [METADATA.scheme]: scheme,
    [METADATA.cache]: cache,
    [METADATA.config]: plmConfigText(model),
    [METADATA.name]: name,
    [METADATA.format]: format,
    ...(origin && {
      [METADATA.repository]: repositoryUrl(origin),
      [METADATA.commit]: origin.revision,
    }),
    ...(card.license !== undefined && { [METADATA.license]: card.license }),
    ...(card.baseModels !== undefined && { [METADATA.baseModels]: card.baseModels.join(' ') }),
    ...(passes.length > 0 && { [METADATA.passes]: passes.join(' ') }),
    ...(calibration !== undefined && { [METADATA.calibration]: calibration }),
    ...(quality !== 'fast' && { [METADATA.quality]: quality }),
  };
}
