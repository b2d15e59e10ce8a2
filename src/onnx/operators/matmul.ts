import type { Call } from '../check/call.ts';
import { type Extent, isFixed } from '../check/extent.ts';
import { broadcastStrides, gatherStrided, walk } from '../strided.ts';
import { elementCount } from '../value.ts';
import { matrixOf } from '../weights/stored-matrix.ts';
import { FLOATS, type Operator } from './operator.ts';

/** Products of matrices [..., M, K] and [..., K, N], whose leading axes broadcast. */
export const matmul: Operator = {
  inputs: [2, 2],
  outputs: [1, 1],
  attributes: {},
  float16: 'widens',
  infer(call) {
    const type = call.type(0, FLOATS);
    call.type(1, [type]);
    const [a, b] = [matrixShape(call, 0), matrixShape(call, 1)];
    call.same('rows of input 1', b.rows, a.columns);
    return [{ type, shape: [...call.broadcast([a.batch, b.batch])!, a.rows, b.columns] }];
  },
  weights(call, constants) {
    const source = constants.source(call.node.inputs[1]!);
    const { batch, rows, columns } = matrixShape(call, 1);
    if (source === undefined || !isFixed(rows) || !isFixed(columns) || !batch.every(isFixed))
      return undefined;
    return {
      form: 'floats',
      instead: [1],
      data: source.initializer,
      transposed: !source.transposed,
      batch: elementCount(batch),
      rows: columns,
      columns: rows,
    };
  },
  evaluate({ call, inputs: [a, b], outputs, weight, products }) {
    const { shape } = outputs[0]!;
    const [rows, columns] = shape.slice(-2) as [number, number];
    const depth = a!.shape.at(-1)!;
    const out = new Float32Array(elementCount(shape));
    const [x, w] = [a!.data as Float32Array, b?.data as Float32Array | undefined];
    const batch = shape.slice(0, -2);
    const [left, right] = [0, 1].map((index) =>
      broadcastStrides(call.shape(index).slice(0, -2) as number[], batch),
    );
    const size = depth * columns;
    walk(batch, [left!, right!], (at, count, [i, j], [di, dj]) => {
      for (let each = 0; each < count; each++) {
        const from = (i! + each * di!) * rows * depth;
        const factor = j! + each * dj!;
        const part = x.subarray(from, from + rows * depth);
        const product = out.subarray((at + each) * rows * columns, (at + each + 1) * rows * columns);
        if (w === undefined) products.multiply(part, depth, matrixOf(weight!, factor), product);
        else {
          const transposed = gatherStrided('float', w, factor * size, [columns, depth], [1, columns]);
          products.multiplyRows(part, depth, transposed as Float32Array, product);
        }
      }
    });
    return [out];
  },
};

interface MatrixShape {
  readonly batch: readonly Extent[];
  readonly rows: Extent;
  readonly columns: Extent;
}

function matrixShape(call: Call, index: number): MatrixShape {
  const shape = call.shape(index);
  if (shape.length < 2) throw call.fault(`rank of input ${index}`, shape.length, 'at least 2');
  return { batch: shape.slice(0, -2), rows: shape.at(-2)!, columns: shape.at(-1)! };
}
