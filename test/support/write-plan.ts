import { mkdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import type { ExportPlan, PlannedTensor } from '../../src/core/export-plan.ts';
import { schemeBytes } from '../../src/core/scheme.ts';
import { columnCount, rowBytes, rowRanges } from '../../src/core/tensor.ts';
import { codecOf } from '../../src/schemes/index.ts';

/**
 * Writes a plan with the plain codecs, one thread and no commit protocol: an executor to test exporters with,
 * independent of the pipeline. Returns the paths of the files.
 */
export async function writePlan(plan: Pick<ExportPlan, 'files'>, folder: string): Promise<string[]> {
  mkdirSync(folder, { recursive: true });
  const paths: string[] = [];
  for (const file of plan.files) {
    const filePath = path.join(folder, file.name);
    const handle = await open(filePath, 'wx');
    try {
      await handle.truncate(file.bytes);
      for (const { offset, bytes } of file.head) await handle.write(bytes, 0, bytes.length, offset);
      for (const tensor of file.tensors) {
        let offset = tensor.offset;
        for await (const rows of transcodedRows(tensor)) {
          await handle.write(rows, 0, rows.length, offset);
          offset += rows.length;
        }
      }
    } finally {
      await handle.close();
    }
    paths.push(filePath);
  }
  return paths;
}

async function* transcodedRows({ source, scheme, importance }: PlannedTensor): AsyncGenerator<Uint8Array> {
  const columns = columnCount(source);
  for (const range of rowRanges(source, 1 << 20)) {
    const stored = new Uint8Array(range.count * rowBytes(source));
    await source.readRows(range, stored);
    if (scheme === source.scheme) {
      yield stored;
      continue;
    }
    const values = new Float32Array(range.count * columns);
    codecOf(source.scheme).decode(stored, 0, values, 0, values.length);
    const target = new Uint8Array(range.count * schemeBytes(scheme, columns));
    // A row at a time: importances are for one.
    for (let row = 0; row < range.count; row++) {
      const offset = row * schemeBytes(scheme, columns);
      codecOf(scheme).encode!(values, row * columns, target, offset, columns, importance);
    }
    yield target;
  }
}
