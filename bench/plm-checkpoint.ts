import { writeCheckpoint } from '../fixtures/checkpoint.ts';
import { GEOMETRIES } from '../fixtures/geometry.ts';

/** What a bench takes less of than PLM-1.8B has. */
export interface Reduction {
  readonly layers: number;
  /** Rows of the embedding, all of them tokens. Default: as PLM-1.8B, with its padding. */
  readonly vocabSize?: number;
}

/** Writes a random BF16 checkpoint of PLM-1.8B's widths. */
export async function writePlmCheckpoint(folder: string, { layers, vocabSize }: Reduction): Promise<void> {
  const { config, paddingRows } = GEOMETRIES['plm-1.8b']!;
  const intermediateSizes = config.intermediateSizes.slice(0, layers);
  await writeCheckpoint(folder, {
    config: {
      ...config,
      numHiddenLayers: layers,
      intermediateSizes,
      ...(vocabSize !== undefined && { vocabSize }),
    },
    paddingRows: vocabSize === undefined ? paddingRows : 0,
    dtype: 'BF16',
    shards: 1,
    seed: 1,
  });
}
