import { describe, it } from 'node:test';
import { SCHEMES, schemeBytes, WRITTEN_SCHEMES } from '../../src/core/scheme.ts';
import { openCompute } from '../../src/kernels/compute.ts';
import { assertSameBytes } from '../support/builders/blocks.ts';
import { importances, mixedRows } from '../support/builders/samples.ts';
import { quantizeChunk } from '../support/oracles/ggml.ts';
import { encoderOf } from '../support/oracles/schemes/index.ts';

/**
 * A million weights of mixed distributions through every encoder: the bytes are ggml's. Another seed in every
 * run.
 */
const [ROWS, COLUMNS] = [512, 2048];
const SEED = Number(process.env.PLMPRESS_TEST_SEED ?? Date.now() % 2 ** 31);

describe(`${ROWS * COLUMNS} weights of seed ${SEED} have ggml's bytes`, () => {
  const weights = mixedRows(ROWS, COLUMNS, SEED);
  for (const scheme of WRITTEN_SCHEMES.filter((name) => SCHEMES[name].blockSize > 1)) {
    for (const importance of [undefined, importances(COLUMNS, SEED)]) {
      const name = `${scheme}${importance === undefined ? '' : ' with importances'}`;
      const theirs = () => quantizeChunk(scheme, weights, ROWS, COLUMNS, importance);

      it(`${name}, plain`, () => {
        const target = new Uint8Array(schemeBytes(scheme, weights.length));
        for (let row = 0; row < ROWS; row++) {
          const at = row * COLUMNS;
          encoderOf(scheme)(weights, at, target, schemeBytes(scheme, at), COLUMNS, importance);
        }
        assertSameBytes(target, theirs(), scheme);
      });

      it(`${name}, WebAssembly`, async () => {
        const bytes = 4 * weights.length + schemeBytes(scheme, weights.length) + 4 * COLUMNS + 256;
        const compute = await openCompute({ threads: 2, bytes });
        const source = compute.alloc(4 * weights.length);
        const target = compute.alloc(schemeBytes(scheme, weights.length));
        const weighing = compute.alloc(4 * COLUMNS);
        compute.floats(source, weights.length).set(weights);
        if (importance !== undefined) compute.floats(weighing, COLUMNS).set(importance);
        compute.run('transcode', {
          source,
          sourceScheme: SCHEMES.F32.ggmlType,
          sourceRowBytes: 4 * COLUMNS,
          target,
          targetScheme: SCHEMES[scheme].ggmlType,
          targetRowBytes: schemeBytes(scheme, COLUMNS),
          rows: ROWS,
          columns: COLUMNS,
          importance: importance === undefined ? 0 : weighing,
        });
        const ours = compute.bytes(target, schemeBytes(scheme, weights.length)).slice();
        await compute.close();
        assertSameBytes(ours, theirs(), scheme);
      });
    }
  }
});
