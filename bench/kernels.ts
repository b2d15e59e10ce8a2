import type { SchemeName } from '../src/core/scheme.ts';
import { SCHEMES, schemeBytes } from '../src/core/scheme.ts';
import { type Compute, openCompute } from '../src/kernels/compute.ts';
import { matrixProduct } from '../src/kernels/matrix-product.ts';
import { openPlain } from '../test/support/drivers/plain-kernels.ts';
import { fastestInTurn, type Measurement } from './measure.ts';

const ROWS = 2048;
const COLUMNS = 2048;
const TOKENS = 16;
const WEIGHT_SCHEMES: readonly SchemeName[] = ['F32', 'F16', 'BF16', 'Q8_0', 'Q4_0', 'Q6_K'];
const TARGET_SCHEMES: readonly SchemeName[] = ['F32', 'F16', 'Q8_0', 'Q4_0', 'Q6_K'];

/** WebAssembly kernels against their oracles in plain TypeScript, one thread each, same data, in turn. */
export async function* benchKernels(): AsyncGenerator<Measurement> {
  const bytes = ROWS * COLUMNS * 8 + 2 ** 20 * 4;
  const wasm = await openCompute({ threads: 1, bytes });
  const plain = await openPlain(bytes);
  try {
    for (const scheme of WEIGHT_SCHEMES) {
      yield compare(
        `matmul ${scheme} ${ROWS}x${COLUMNS}, ${TOKENS} tokens`,
        matmul(wasm, scheme),
        matmul(plain, scheme),
      );
    }
    for (const scheme of TARGET_SCHEMES) {
      yield compare(
        `transcode BF16 to ${scheme}, ${ROWS}x${COLUMNS}`,
        transcode(wasm, scheme),
        transcode(plain, scheme),
      );
    }
  } finally {
    await wasm.close();
    await plain.close();
  }
}

function compare(what: string, ours: () => void, baseline: () => void): Measurement {
  return { what, ...fastestInTurn(ours, baseline), unit: 'ms' };
}

const pools = new WeakMap<Compute, number>();

/** One region of each pool serves every case: weights or source first, then what is computed from them. */
function region(compute: Compute): number {
  const known = pools.get(compute);
  if (known !== undefined) return known;
  const start = compute.alloc(ROWS * COLUMNS * 8 + 2 ** 20);
  pools.set(compute, start);
  return start;
}

function matmul(compute: Compute, scheme: SchemeName): () => void {
  const weights = region(compute);
  const x = weights + ROWS * COLUMNS * 4;
  const y = x + TOKENS * COLUMNS * 4;
  fillBf16(compute, weights, scheme);
  compute.floats(x, TOKENS * COLUMNS).fill(0.5);
  const product = { weights, scheme, rows: ROWS, columns: COLUMNS, x, y, tokens: TOKENS };
  return () => compute.run('matmul', matrixProduct(product));
}

function transcode(compute: Compute, scheme: SchemeName): () => void {
  const source = region(compute);
  fillBf16(compute, source, 'BF16');
  return () =>
    compute.run('transcode', {
      source,
      sourceScheme: SCHEMES.BF16.ggmlType,
      sourceRowBytes: schemeBytes('BF16', COLUMNS),
      target: source + ROWS * COLUMNS * 4,
      targetScheme: SCHEMES[scheme].ggmlType,
      targetRowBytes: schemeBytes(scheme, COLUMNS),
      rows: ROWS,
      columns: COLUMNS,
      importance: 0,
    });
}

/**
 * Numbers of both signs in bf16 patterns around 0.02; as blocks of another scheme they are some weights as
 * well.
 */
function fillBf16(compute: Compute, at: number, scheme: SchemeName): void {
  const bytes = compute.bytes(at, ROWS * schemeBytes(scheme, COLUMNS));
  let state = 1;
  for (let i = 0; i + 1 < bytes.length; i += 2) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
    bytes[i + 1] = ((state >>> 8) & 0x80) | 0x3c;
  }
}
