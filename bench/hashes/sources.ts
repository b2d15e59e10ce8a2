import path from 'node:path';
import { writeCheckpoint } from '../../fixtures/checkpoint.ts';
import { GEOMETRIES } from '../../fixtures/geometry.ts';
import { fixture } from '../../test/support/paths.ts';
import { program } from './program.ts';

/** A model to convert. */
export interface HashedSource {
  readonly name: string;
  readonly place: string;
  /** Its statistics, which serve as importances too. */
  readonly statistics: string;
  /** Passes for targets that have one FFN width for all layers, and for those that do not. */
  readonly passes: { readonly gguf: readonly string[]; readonly others: readonly string[] };
}

const NO_PASSES = { gguf: [], others: [] };
const PRUNE = 'prune-ffn:multiple=8,compensation=none';

/**
 * plm-tiny; two layers in shards, whose widths are multiples of nothing; plm-tiny pruned, by layer where the
 * format holds that.
 */
export async function writeSources(folder: string): Promise<HashedSource[]> {
  const tiny = { place: fixture('plm-tiny'), statistics: path.join(folder, 'tiny.gguf') };
  const odd = { place: path.join(folder, 'odd'), statistics: path.join(folder, 'odd.gguf') };
  await writeOdd(odd.place);
  for (const { place, statistics } of [tiny, odd]) {
    const text = fixture('text', 'calibration.txt');
    await program(
      'calibrate',
      place,
      '--text',
      text,
      '--tokens',
      '512',
      '--context',
      '128',
      '-o',
      statistics,
    );
  }
  const pruned = { gguf: [`${PRUNE},ratio=0.3`], others: [`${PRUNE},budget=0.2,widths=layer`] };
  return [
    { name: 'plm-tiny', ...tiny, passes: NO_PASSES },
    { name: 'odd', ...odd, passes: NO_PASSES },
    { name: 'pruned', ...tiny, passes: pruned },
  ];
}

async function writeOdd(place: string): Promise<void> {
  const { config, paddingRows } = GEOMETRIES['plm-tiny']!;
  await writeCheckpoint(place, {
    config: {
      ...config,
      numHiddenLayers: 2,
      hiddenSize: 96,
      numAttentionHeads: 3,
      intermediateSizes: [160, 160],
      kvLoraRank: 96,
      qkNopeHeadDim: 20,
      qkRopeHeadDim: 12,
      vHeadDim: 28,
    },
    paddingRows,
    dtype: 'F16',
    shards: 3,
    seed: 1,
  });
}
