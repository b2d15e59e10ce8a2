import { isFixed } from '../check/extent.ts';
import { BLOCK_ATTRIBUTES } from './block-attributes.ts';
import { gatherStoredRows } from './gather.ts';
import { FLOATS, type Operator } from './operator.ts';

/** Rows of a matrix [V, D] stored as codes [V, D * bits / 8] and a scale per block, decoded. */
export const gatherBlockQuantized: Operator = {
  inputs: [3, 3],
  outputs: [1, 1],
  attributes: {
    ...BLOCK_ATTRIBUTES,
    gather_axis: { type: 'int', value: 0, allows: (axis) => axis === 0, expected: '0' },
    quantize_axis: { type: 'int', value: 1, allows: (axis) => axis === 1, expected: '1' },
  },
  float16: 'computes',
  infer(call) {
    call.type(0, ['uint8']);
    call.type(1, ['int64']);
    const type = call.type(2, FLOATS);
    const [rows, bytes] = call.shape(0, 2);
    const [scaleRows, blocks] = call.shape(2, 2);
    if (!isFixed(bytes!)) throw call.fault('bytes of a row', String(bytes), 'a number');
    const columns = (bytes * 8) / call.int('bits');
    call.same('rows of scales', scaleRows!, rows!);
    call.same('scales of a row', blocks!, columns / call.int('block_size'));
    return [{ type, shape: [...call.shape(1), columns] }];
  },
  weights(call, constants) {
    const [data, scales] = [0, 2].map((input) => constants.source(call.node.inputs[input]!));
    const [rows, bytes] = call.shape(0);
    if (data === undefined || scales === undefined || data.transposed || scales.transposed) {
      throw call.fault('data and scales', 'computed ones', 'initializers');
    }
    const bits = call.int('bits');
    return {
      form: 'blocks',
      instead: [0, 2],
      data: data.initializer,
      scales: scales.initializer,
      bits,
      blockSize: call.int('block_size'),
      rows: rows as number,
      columns: ((bytes as number) * 8) / bits,
    };
  },
  evaluate: (execution) => [gatherStoredRows(execution)],
};
