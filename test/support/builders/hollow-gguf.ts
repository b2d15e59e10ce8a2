import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { readGguf } from '../../../formats/gguf/container/reader.ts';
import type { GgufHeader } from '../../../formats/gguf/container/types.ts';
import { planGguf } from '../../../formats/gguf/export.ts';
import type { ExportPlan } from '../../../src/core/export-plan.ts';
import type { Model } from '../../../src/core/model.ts';
import { memorySource } from './raw-gguf.ts';

/** Writes a GGUF of weights that are all zero, and returns its path. */
export function writeHollowGguf(model: Model, folder: string, recipe = 'f32'): string {
  const [file] = planGguf(model, { recipe }).files;
  mkdirSync(folder, { recursive: true });
  const filePath = path.join(folder, file!.name);
  writeFileSync(filePath, file!.head[0]!.bytes);
  truncateSync(filePath, file!.bytes);
  return filePath;
}

/** The header of a plan's only file. */
export async function headerOf({ files }: ExportPlan): Promise<GgufHeader> {
  const [file] = files;
  const bytes = new Uint8Array(file!.bytes);
  bytes.set(file!.head[0]!.bytes);
  return readGguf(memorySource(bytes));
}
