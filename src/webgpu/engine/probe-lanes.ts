import { COPY_DST, COPY_SRC, MAP_MODE_READ, MAP_READ, STORAGE, UNIFORM } from './buffer-usage.ts';
import { bindParams, dispatchOf, encodeDispatches } from './dispatch.ts';
import { KernelCompiler } from './kernel.ts';
import { PARAMS_STRIDE } from './params.ts';
import { LANES_A_ROW, type Lanes, probeKernel } from './shaders.ts';

const THREADS = 64;

/**
 * How lanes of a row add up on a device: by subgroups where it has them and they do it right. The
 * specification does not say in which order threads make up subgroups, and devices have been wrong about
 * their sizes, so that it is tried.
 */
export async function chooseLanes(device: GPUDevice): Promise<Lanes> {
  if (!device.features.has('subgroups')) return 'shared';
  const sums = await probe(device);
  return sums.every((sum, thread) => sum === expected(thread)) ? 'subgroup' : 'shared';
}

/** Sum of the squares of the places of the thread and its neighbours: f32 holds it exactly. */
function expected(thread: number): number {
  const first = thread - (thread % LANES_A_ROW.subgroup);
  return Array.from({ length: LANES_A_ROW.subgroup }, (_, i) => (first + i) ** 2).reduce((a, b) => a + b);
}

async function probe(device: GPUDevice): Promise<Float32Array> {
  const bytes = 4 * THREADS;
  const params = device.createBuffer({ size: PARAMS_STRIDE, usage: UNIFORM | COPY_DST });
  const sums = device.createBuffer({ size: bytes, usage: STORAGE | COPY_SRC });
  const staging = device.createBuffer({ size: bytes, usage: MAP_READ | COPY_DST });
  try {
    const compiler = new KernelCompiler(device);
    const dispatch = await dispatchOf(compiler, probeKernel(), [{ buffer: sums }], () => [1, 1, 1]);
    const commands = device.createCommandEncoder();
    const encoder = commands.beginComputePass();
    encodeDispatches(encoder, bindParams(device, [dispatch], params), 0, 1);
    encoder.end();
    commands.copyBufferToBuffer(sums, 0, staging, 0, bytes);
    device.queue.submit([commands.finish()]);
    await staging.mapAsync(MAP_MODE_READ);
    return new Float32Array(staging.getMappedRange().slice(0));
  } finally {
    for (const buffer of [params, sums, staging]) buffer.destroy();
  }
}
