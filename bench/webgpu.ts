import { parseArgs } from 'node:util';
import { Cleanup } from './cleanup.ts';
import { type Measurement, mediansInTurn } from './measure.ts';
import { compareDecoders } from './webgpu/decoders.ts';
import { CONTEXT, FIRING, LayerKernels } from './webgpu/layer-kernels.ts';
import { PLM_LAYER } from './webgpu/plm-layer.ts';

const HALF_BYTES = 2;
/** The GPU is software: what processors spend is its time. */
const CPU_MS = 'ms of processors';

/**
 * `npm run bench -- webgpu [--rounds N] [--tokens N]`, on a GPU in software: kernels of a layer of PLM-1.8B
 * in q4 behind a full context, in Dawn, down_proj and attention beside others' ways; and tokens per second of
 * plm-tiny in Chromium, beside peers. All take turns; medians. Kernels cost processor time, tokens per second
 * are those of the clock.
 */
export async function* benchWebgpu(argv: readonly string[]): AsyncGenerator<Measurement> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      rounds: { type: 'string', default: '5' },
      tokens: { type: 'string', default: '17' },
    },
  });
  const rounds = Number(values.rounds);
  const cleanup = new Cleanup();
  try {
    const kernels = await LayerKernels.open(cleanup);
    yield* compareDown(kernels, rounds);
    yield* compareAttention(kernels, rounds);
    yield* profileLayer(kernels, rounds);
    yield* compareDecoders(cleanup, { rounds, tokens: Number(values.tokens) });
  } finally {
    await cleanup.run();
  }
}

const DOWN = 'down of active neurons';

async function* compareDown(kernels: LayerKernels, rounds: number): AsyncGenerator<Measurement> {
  const { hiddenSize, intermediateSizes } = PLM_LAYER;
  const byRows = await kernels.projection(hiddenSize, intermediateSizes[0]!);
  const downOf = async (share: number) => {
    await kernels.fire(share);
    return kernels.time(DOWN);
  };
  const times = await mediansInTurn(
    { sparse: () => downOf(FIRING), all: () => downOf(1), rows: () => kernels.timeOf(byRows) },
    rounds,
  );
  const what = `down_proj, ${100 * (1 - FIRING)} % zeros`;
  yield { what: `${what}: all neurons listed`, ours: times.sparse, baseline: times.all, unit: CPU_MS };
  yield { what: `${what}: product by rows`, ours: times.sparse, baseline: times.rows, unit: CPU_MS };
}

async function* compareAttention(kernels: LayerKernels, rounds: number): AsyncGenerator<Measurement> {
  const { numAttentionHeads: heads, kvLoraRank: latent, qkRopeHeadDim: rope } = PLM_LAYER;
  const { qkNopeHeadDim: nope, vHeadDim: value } = PLM_LAYER;
  const expanded = await kernels.expandedAttention();
  const keysOfToken = await kernels.projection(heads * (nope + value), latent);
  const times = await mediansInTurn(
    {
      attend: () => kernels.time('attend', 'combine'),
      whole: () => kernels.time('latent', 'attend', 'combine'),
      expanded: () => kernels.timeOf(expanded),
      expandedWhole: () => kernels.timeOf([...keysOfToken, ...expanded]),
    },
    rounds,
  );
  const what = `attention, ${CONTEXT} tokens`;
  yield {
    what: `${what}: cache read`,
    ours: HALF_BYTES * CONTEXT * (latent + rope),
    baseline: HALF_BYTES * CONTEXT * heads * (nope + rope + value),
    unit: 'bytes',
  };
  yield { what: `${what}: expanded`, ours: times.attend, baseline: times.expanded, unit: CPU_MS };
  yield {
    what: `${what}: expanded, with kv_b_proj`,
    ours: times.whole,
    baseline: times.expandedWhole,
    unit: CPU_MS,
  };
}

/** Each kernel beside the layer. */
async function* profileLayer(kernels: LayerKernels, rounds: number): AsyncGenerator<Measurement> {
  await kernels.fire(FIRING);
  const candidates = Object.fromEntries([
    ...kernels.names.map((name) => [name, () => kernels.time(name)]),
    ['layer', () => kernels.timeAll()],
  ]);
  const { layer, ...times } = await mediansInTurn<string>(candidates, rounds);
  for (const [name, ours] of Object.entries(times)) {
    yield { what: `layer, ${CONTEXT} tokens: ${name}`, ours, baseline: layer!, unit: CPU_MS };
  }
}
