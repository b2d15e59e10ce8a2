import { decoderOf } from '../../schemes/index.ts';
import type { Call } from '../check/call.ts';
import { type Extent, isFixed } from '../check/extent.ts';
import { type Elements, elementCount, newElements, type TensorValue } from '../value.ts';
import { BYTES_OFFSET } from '../weights/weight-request.ts';
import type { Execution, Operator } from './operator.ts';

/** Rows of a tensor by their numbers; negative ones count from the last row. */
export const gather: Operator = {
  inputs: [2, 2],
  outputs: [1, 1],
  attributes: { axis: { type: 'int', value: 0, allows: (axis) => axis === 0, expected: '0' } },
  float16: 'moves',
  infer(call) {
    const { type } = call.input(0);
    const [, ...row] = rowsOf(call);
    call.type(1, ['int64']);
    const shape = [...call.shape(1), ...row];
    return [{ type, shape, contents: pickContents(call, shape.length) }];
  },
  weights(call, constants) {
    const [rows, columns, ...rest] = rowsOf(call);
    const source = constants.source(call.node.inputs[0]!);
    const isMatrix = isFixed(rows!) && columns !== undefined && isFixed(columns) && rest.length === 0;
    if (source === undefined || source.transposed || !isMatrix) return undefined;
    const matrix = { instead: [0], data: source.initializer, transposed: false, rows, columns };
    const { type } = call.input(0);
    if (type === 'uint8') return { form: 'bytes', ...matrix };
    return type === 'float' || type === 'float16' ? { form: 'floats', batch: 1, ...matrix } : undefined;
  },
  evaluate(execution) {
    const { inputs, outputs, weight } = execution;
    if (weight !== undefined) return [gatherStoredRows(execution)];
    const { data, shape } = inputs[0]!;
    const size = elementCount(shape.slice(1));
    const out = newElements(outputs[0]!.type, elementCount(outputs[0]!.shape));
    for (const [i, row] of rowNumbers(execution, inputs[1]!, shape[0]!).entries()) {
      out.set(data.subarray(row * size, (row + 1) * size) as never, i * size);
    }
    return [out];
  },
};

function rowsOf(call: Call): readonly Extent[] {
  const shape = call.shape(0);
  if (shape.length === 0) throw call.fault('rank of input 0', 0, 'at least 1');
  return shape;
}

function pickContents(call: Call, rank: number): readonly Extent[] | undefined {
  const { contents } = call.input(0);
  const picked = call.constants(1)?.map((index) => contents?.at(index));
  return rank < 2 && picked?.every((extent) => extent !== undefined) ? picked : undefined;
}

/** Decoded rows of the stored matrix that stands for input 0. */
export function gatherStoredRows(execution: Execution): Elements {
  const { inputs, outputs, weight, products } = execution;
  const { scheme, rows, columns, rowBytes, pointer } = weight!;
  const decode = decoderOf(scheme);
  const width = outputs[0]!.shape.at(-1)!;
  const decoded = new Float32Array(columns);
  const { type, shape } = outputs[0]!;
  const out = newElements(type, elementCount(shape)) as Float32Array | Uint8Array;
  for (const [i, row] of rowNumbers(execution, inputs[1]!, rows).entries()) {
    const stored = products.compute.bytes(pointer + row * rowBytes, rowBytes);
    decode(stored, 0, decoded, 0, columns);
    if (type === 'uint8') for (let c = 0; c < width; c++) decoded[c]! += BYTES_OFFSET;
    out.set(decoded.subarray(0, width), i * width);
  }
  return out;
}

function rowNumbers({ call }: Execution, indices: TensorValue, rows: number): number[] {
  return Array.from(indices.data as Int32Array, (index: number | bigint) => {
    const row = Number(index) + (index < 0 ? rows : 0);
    if (row < 0 || row >= rows) throw call.fault('index', index, `0 to ${rows - 1}`);
    return row;
  });
}
