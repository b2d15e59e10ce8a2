import { invalidInput } from '../../src/core/errors.ts';
import { elementCount } from '../../src/core/tensor.ts';
import { Fields } from '../gguf/container/fields.ts';
import type { ByteSource } from '../gguf/container/header-cursor.ts';
import { readGguf } from '../gguf/container/reader.ts';
import type { GgufTensorInfo } from '../gguf/container/types.ts';
import { datasetName, type RawEntry } from './entries.ts';

export const SUMS = '.in_sum2';
export const COUNTS = '.counts';
/** Metadata key of the names of texts. */
export const DATASETS_KEY = 'imatrix.datasets';
const F32 = 0;

/**
 * Reads the form of llama-imatrix since 2025: a GGUF whose tensors are `<matrix>.in_sum2` with
 * `<matrix>.counts`. Other tensors are left alone.
 * @throws PressError invalid-input naming the key or the tensor, and where they have more than `maxBytes`.
 */
export async function readGgufForm(source: ByteSource, maxBytes: number) {
  const { metadata, tensors } = await readGguf(source);
  const fields = new Fields(source.name, metadata);
  const type = fields.required('general.type', 'string');
  if (type !== 'imatrix') throw fields.error('general.type', 'type', { got: type, expected: 'imatrix' });
  const datasets = fields.list(DATASETS_KEY, 'string').map(datasetName);
  const chunks = fields.required('imatrix.chunk_count', 'u32');
  fields.required('imatrix.chunk_size', 'u32');
  const entries: RawEntry[] = [];
  const found = pairs(source.name, tensors);
  const bytes = found.reduce((sum, { sums, counts }) => sum + sums.bytes + counts.bytes, 0);
  if (bytes > maxBytes) {
    const expected = `at most ${maxBytes} bytes of importances`;
    throw invalidInput({ file: source.name, what: 'too large', got: bytes, expected });
  }
  for (const { name, sums, counts } of found) {
    entries.push({ name, sums: await floats(source, sums), counts: await floats(source, counts) });
  }
  return { entries, chunks, datasets };
}

function pairs(file: string, tensors: readonly GgufTensorInfo[]) {
  const infos = new Map(tensors.map((info) => [info.name, info]));
  const stems = tensors.flatMap(({ name }) => {
    const suffix = [SUMS, COUNTS].find((ending) => name.endsWith(ending));
    return suffix === undefined ? [] : [name.slice(0, -suffix.length)];
  });
  return [...new Set(stems)].map((name) => {
    const [sums, counts] = [SUMS, COUNTS].map((suffix) => matrix(file, infos, name + suffix));
    if (elementCount({ shape: sums!.dims }) % elementCount({ shape: counts!.dims }) !== 0) {
      const field = `tensor ${JSON.stringify(counts!.name)}`;
      throw invalidInput({
        file,
        field,
        what: 'shape',
        got: counts!.dims,
        expected: `parts of [${sums!.dims}]`,
      });
    }
    return { name, sums: sums!, counts: counts! };
  });
}

function matrix(file: string, infos: ReadonlyMap<string, GgufTensorInfo>, name: string): GgufTensorInfo {
  const info = infos.get(name);
  const field = `tensor ${JSON.stringify(name)}`;
  if (info === undefined) throw invalidInput({ file, field, what: 'missing' });
  if (info.type !== F32)
    throw invalidInput({ file, field, what: 'ggml type', got: info.type, expected: 'F32' });
  return info;
}

async function floats(source: ByteSource, { offset, bytes }: GgufTensorInfo): Promise<Float32Array> {
  const stored = new Uint8Array(bytes);
  await source.readInto(stored, offset);
  return new Float32Array(stored.buffer);
}
