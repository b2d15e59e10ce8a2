import type { HeaderCursor } from './header-cursor.ts';
import { type GgufTensorInfo, ggmlTypeInfo, MAX_DIMS, MAX_TENSOR_NAME_BYTES, padded } from './types.ts';

/** ggml counts elements in an int64. */
const MAX_ELEMENTS = 2n ** 63n - 1n;

/**
 * A tensor info with its offset still counted from the start of the data, and where its offset field stands.
 */
interface RelativeInfo {
  readonly name: string;
  readonly dims: readonly bigint[];
  readonly type: number;
  readonly bytes: bigint;
  readonly offset: bigint;
  readonly offsetPosition: number;
}

/**
 * Reads the tensor infos, which end the header, and places each tensor in the file.
 * Sizes are BigInt until they are known to lie inside the file, so no product or sum can wrap.
 */
export async function readTensorInfos(
  cursor: HeaderCursor,
  count: number,
  alignment: number,
): Promise<GgufTensorInfo[]> {
  const infos: RelativeInfo[] = [];
  const names = new Set<string>();
  for (let index = 0; index < count; index++) {
    cursor.field = `tensor[${index}]`;
    const info = await readInfo(cursor, index);
    if (names.has(info.name)) throw cursor.error('the tensor is in the file twice');
    names.add(info.name);
    infos.push(info);
  }
  return place(cursor, infos, alignment);
}

async function readInfo(cursor: HeaderCursor, index: number): Promise<RelativeInfo> {
  const name = await cursor.text('name', MAX_TENSOR_NAME_BYTES);
  cursor.field = fieldOf(index, name);
  if (name === '') throw cursor.error('name', { got: name, expected: 'a name' });
  await cursor.need(4);
  const start = cursor.position;
  const rank = cursor.u32();
  if (rank < 1 || rank > MAX_DIMS) {
    throw cursor.error('number of dimensions', { got: rank, expected: `1 to ${MAX_DIMS}` }, start);
  }
  await cursor.need(8 * rank + 4 + 8);
  const dims: bigint[] = [];
  let elements = 1n;
  for (let i = 0; i < rank; i++) {
    const dim = cursor.u64();
    elements *= dim;
    // llama.cpp lets zero dimensions pass; a PLM has none, and they have caused divisions by zero.
    if (dim < 1n || elements > MAX_ELEMENTS) {
      const expected = 'at least 1, and a product below 2^63';
      throw cursor.error(`dimension ${i}`, { got: dim, expected }, cursor.position - 8);
    }
    dims.push(dim);
  }
  const type = cursor.u32();
  const info = ggmlTypeInfo(type);
  if (info === undefined) {
    throw cursor.error('ggml type', { got: type, expected: 'a type that ggml defines' }, cursor.position - 4);
  }
  const blockSize = BigInt(info.blockSize);
  if (dims[0]! % blockSize !== 0n) {
    throw cursor.error('row length', { got: dims[0]!, expected: `a multiple of ${blockSize}` }, start + 4);
  }
  const bytes = (elements / blockSize) * BigInt(info.blockBytes);
  const offsetPosition = cursor.position;
  return { name, dims, type, bytes, offset: cursor.u64(), offsetPosition };
}

/**
 * Checks that the tensors fill the file from the end of the header to its last byte, and nothing else does.
 */
function place(cursor: HeaderCursor, infos: readonly RelativeInfo[], alignment: number): GgufTensorInfo[] {
  const step = BigInt(alignment);
  const dataStart = BigInt(padded(cursor.position, alignment));
  const fileEnd = BigInt(cursor.position + cursor.remaining);
  let end = BigInt(cursor.position);
  let next = 0n;
  const placed = infos.map(({ name, dims, type, bytes, offset, offsetPosition }, index) => {
    cursor.field = fieldOf(index, name);
    if (offset !== next) {
      const what =
        offset % step !== 0n
          ? 'offset is not aligned'
          : offset < next
            ? 'tensors overlap'
            : 'hole in the data';
      throw cursor.error(what, { got: offset, expected: `${next}` }, offsetPosition);
    }
    end = dataStart + offset + bytes;
    if (end > fileEnd) {
      const expected = `a file of at least ${end} bytes`;
      throw cursor.error(
        'the data ends beyond the end of the file',
        { got: fileEnd, expected },
        offsetPosition,
      );
    }
    next = ((offset + bytes + step - 1n) / step) * step;
    return {
      name,
      dims: dims.map(Number),
      type,
      offset: Number(dataStart + offset),
      bytes: Number(bytes),
    };
  });
  cursor.field = 'data';
  const paddedEnd = ((end + step - 1n) / step) * step;
  if (fileEnd > paddedEnd) {
    throw cursor.error('bytes after the last tensor', { got: fileEnd - end }, Number(end));
  }
  return placed;
}

function fieldOf(index: number, name: string): string {
  return `tensor[${index}] ${JSON.stringify(name)}`;
}
