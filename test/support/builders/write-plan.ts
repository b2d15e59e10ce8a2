import { mkdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import type { ExportPlan, PlannedTensor } from '../../../src/core/export-plan.ts';
import { schemeBytes } from '../../../src/core/scheme.ts';
import { columnCount, rowBytes, rowRanges } from '../../../src/core/tensor.ts';
import { openCompute } from '../../../src/kernels/compute.ts';
import type { TensorSink } from '../../../src/pipeline/writing/tensor-sink.ts';
import { transcode } from '../../../src/pipeline/writing/transcode.ts';
import { SLOTS, sideBytes } from '../../../src/pipeline/writing/working-memory.ts';
import { decoderOf } from '../../../src/schemes/index.ts';
import { encoderOf } from '../oracles/schemes/index.ts';

type Plan = Pick<ExportPlan, 'files'>;

/** Bytes of a chunk of rows, a multiple of `SLOT_ALIGNMENT`. */
const CHUNK = 8e6;

/** Writes a plan with the kernels and no commit protocol. Returns the paths of the files. */
export function writePlan(plan: Plan, folder: string): Promise<string[]> {
  return writeFiles(plan, folder, async (tensors, write) => {
    const compute = await openCompute({ threads: 1, bytes: SLOTS * CHUNK + sideBytes(tensors) });
    try {
      const sinks = tensors.map((tensor) => ({ tensor, write }));
      await transcode(sinks, { compute, slotBytes: CHUNK, files: [] });
    } finally {
      await compute.close();
    }
  });
}

/** The same with the plain encoders: an executor that is independent of the pipeline. */
export function writePlanPlainly(plan: Plan, folder: string): Promise<string[]> {
  return writeFiles(plan, folder, async (tensors, write) => {
    for (const tensor of tensors) {
      let { offset } = tensor;
      for await (const rows of transcodedRows(tensor)) {
        await write(rows, offset);
        offset += rows.length;
      }
    }
  });
}

async function writeFiles(
  plan: Plan,
  folder: string,
  writeTensors: (tensors: readonly PlannedTensor[], write: TensorSink['write']) => Promise<void>,
): Promise<string[]> {
  mkdirSync(folder, { recursive: true });
  const paths: string[] = [];
  for (const file of plan.files) {
    const filePath = path.join(folder, file.name);
    const handle = await open(filePath, 'wx');
    const write = async (bytes: Uint8Array, offset: number) => {
      await handle.write(bytes, 0, bytes.length, offset);
    };
    try {
      await handle.truncate(file.bytes);
      for (const { offset, bytes } of file.head) await write(bytes, offset);
      await writeTensors(file.tensors, write);
    } finally {
      await handle.close();
    }
    paths.push(filePath);
  }
  return paths;
}

async function* transcodedRows({ source, scheme, importance }: PlannedTensor): AsyncGenerator<Uint8Array> {
  const columns = columnCount(source);
  const weights = await importance?.values();
  for (const range of rowRanges(source, 1 << 20)) {
    const stored = new Uint8Array(range.count * rowBytes(source));
    await source.readRows(range, stored);
    if (scheme === source.scheme) {
      yield stored;
      continue;
    }
    const values = new Float32Array(range.count * columns);
    decoderOf(source.scheme)(stored, 0, values, 0, values.length);
    const target = new Uint8Array(range.count * schemeBytes(scheme, columns));
    // A row at a time: importances are for one.
    for (let row = 0; row < range.count; row++) {
      const offset = row * schemeBytes(scheme, columns);
      encoderOf(scheme)(values, row * columns, target, offset, columns, weights);
    }
    yield target;
  }
}
