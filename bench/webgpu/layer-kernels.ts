import { readFileSync } from 'node:fs';
import path from 'node:path';
import { COPY_DST, STORAGE, UNIFORM } from '../../src/webgpu/engine/buffer-usage.ts';
import type { Groups } from '../../src/webgpu/engine/dispatch.ts';
import type { KernelSource } from '../../src/webgpu/engine/kernel.ts';
import { BLOCK } from '../../src/webgpu/planes.ts';
import { openDawn } from '../../test/support/drivers/dawn.ts';
import { repoRoot } from '../../test/support/paths.ts';
import type { Cleanup } from '../cleanup.ts';
import { loadWebgpuParts, type WebgpuParts } from './load-parts.ts';
import { LAYER_MANIFEST, layerWeights, PLM_LAYER } from './plm-layer.ts';
import { type RecordedDispatch, recordDispatches, timeDispatches } from './recorder.ts';

/** Tokens in the cache, the new one among them. */
export const CONTEXT = 4096;
/** About as many of PLM-1.8B's neurons as fire: 9.1 % (arXiv 2503.12167). */
export const FIRING = 0.1;

/** Dispatches in a pass: waiting for the device is little beside them. */
const TIMES = 3;

/**
 * One token through a layer of PLM-1.8B behind a full context, kernel by kernel as the engine has them, and
 * yardsticks beside them.
 */
export class LayerKernels {
  readonly names: readonly string[];
  readonly #device: GPUDevice;
  readonly #parts: WebgpuParts;
  readonly #params: GPUBuffer;
  readonly #dispatches: readonly RecordedDispatch[];
  readonly #writeWeights: (shard: Uint8Array<ArrayBuffer>) => void;
  readonly #shards = new Map<number, Uint8Array<ArrayBuffer>>();

  static async open(cleanup: Cleanup): Promise<LayerKernels> {
    const parts = await loadWebgpuParts();
    const device = await openDawn(cleanup, ['subgroups'], []);
    const { model } = LAYER_MANIFEST;
    const weights = new parts.DeviceWeights(device, LAYER_MANIFEST);
    const params = device.createBuffer({ size: parts.PARAMS_STRIDE, usage: UNIFORM | COPY_DST });
    const size = { contextLength: CONTEXT, logitRows: 1, split: parts.SPLIT };
    const pass = await parts.ForwardPass.create(device, model, weights, size, params);
    const [split, splits] = [parts.SPLIT, CONTEXT / parts.SPLIT];
    const slot = { position: CONTEXT - 1, tokens: 1, row: 0, split, splits };
    device.queue.writeBuffer(params, 0, parts.paramsBytes([slot]));
    const dispatches = recordDispatches((encoder) => pass.encodeLayers(encoder, 0, 1, splits));
    return new LayerKernels(device, parts, params, dispatches, (shard) => weights.writeShard(0, shard));
  }

  private constructor(
    device: GPUDevice,
    parts: WebgpuParts,
    params: GPUBuffer,
    dispatches: readonly RecordedDispatch[],
    writeWeights: (shard: Uint8Array<ArrayBuffer>) => void,
  ) {
    this.#device = device;
    this.#parts = parts;
    this.#params = params;
    this.#dispatches = dispatches;
    this.#writeWeights = writeWeights;
    this.names = dispatches.map(({ name }) => name);
  }

  /** Lets a share of the neurons fire, and a token through the layer. */
  async fire(share: number): Promise<void> {
    const shard = this.#shards.get(share) ?? layerWeights(share);
    this.#shards.set(share, shard);
    this.#writeWeights(shard);
    await timeDispatches(this.#device, this.#dispatches, 1);
  }

  /** Milliseconds of processor time of kernels of the layer. */
  time(...names: string[]): Promise<number> {
    return this.timeOf(this.#dispatches.filter(({ name }) => names.includes(name)));
  }

  /** Of the whole layer. */
  timeAll(): Promise<number> {
    return this.timeOf(this.#dispatches);
  }

  timeOf(dispatches: readonly RecordedDispatch[]): Promise<number> {
    return timeDispatches(this.#device, dispatches, TIMES);
  }

  /** The engine's own product of a matrix that is stored by rows, all of it. */
  projection(rows: number, columns: number): Promise<RecordedDispatch[]> {
    const { projectKernel, groupRows } = this.#parts;
    const [lanes, blocks] = ['subgroup', columns / BLOCK] as const;
    const source = projectKernel({
      scheme: 'q4',
      rows,
      columns,
      blocks,
      tokens: 1,
      lanes,
      xStride: columns,
      outStride: rows,
      outOffset: 0,
      output: 'add',
    });
    const bytes = [4 * columns, 16, 16 * rows * blocks, 2 * rows * blocks, 4 * rows];
    return this.#dispatch(source, bytes, () => [Math.ceil(rows / groupRows(lanes)), 1, 1]);
  }

  /** Attention over an expanded cache, and the ranges put together. */
  async expandedAttention(): Promise<RecordedDispatch[]> {
    const { SPLIT } = this.#parts;
    const { numAttentionHeads: heads, qkNopeHeadDim, qkRopeHeadDim, vHeadDim } = PLM_LAYER;
    const [keyWords, valueWords] = [(qkNopeHeadDim + qkRopeHeadDim) / 2, vHeadDim / 2];
    const sizes = { HEADS: heads, CONTEXT, SPLIT, K_WORDS: keyWords, V_WORDS: valueWords };
    const ranges = this.#buffer(8 * (CONTEXT / SPLIT) * heads * (valueWords + 1));
    const [keyBytes, valueBytes] = [keyWords, valueWords].map((words) => 4 * heads * CONTEXT * words);
    const attend = await this.#dispatch(
      yardstick('expanded-attention', sizes, ['params', 'read', 'read', 'read', 'write']),
      [8 * heads * keyWords, keyBytes!, valueBytes!, ranges],
      (_, splits) => [splits, heads, 1],
    );
    const combine = await this.#dispatch(
      yardstick('expanded-combine', sizes, ['params', 'read', 'write']),
      [ranges, 8 * heads * valueWords],
      () => [heads, 1, 1],
    );
    return [...attend, ...combine];
  }

  /** Over buffers, or new ones of so many bytes. */
  async #dispatch(
    source: KernelSource,
    buffers: readonly (GPUBuffer | number)[],
    groups: Groups,
  ): Promise<RecordedDispatch[]> {
    const { KernelCompiler, bindParams, dispatchOf, encodeDispatches, SPLIT } = this.#parts;
    const resources = buffers.map((buffer) => ({
      buffer: typeof buffer === 'number' ? this.#buffer(buffer) : buffer,
    }));
    const dispatch = await dispatchOf(new KernelCompiler(this.#device), source, resources, groups);
    const bound = bindParams(this.#device, [dispatch], this.#params);
    return recordDispatches((encoder) => encodeDispatches(encoder, bound, 0, 1, CONTEXT / SPLIT));
  }

  #buffer(size: number): GPUBuffer {
    return this.#device.createBuffer({ size, usage: STORAGE | COPY_DST });
  }
}

function yardstick(
  name: string,
  sizes: Readonly<Record<string, number>>,
  bindings: KernelSource['bindings'],
): KernelSource {
  const constants = Object.entries(sizes).map(([key, value]) => `const ${key} = ${value}u;`);
  const read = (file: string) => readFileSync(path.join(repoRoot, file), 'utf8');
  const code = [...constants, read('src/webgpu/kernels/params.wgsl'), read(`bench/webgpu/${name}.wgsl`)];
  return { name, code: code.join('\n'), bindings };
}
