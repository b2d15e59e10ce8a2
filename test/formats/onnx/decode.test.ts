import assert from 'node:assert/strict';
import test, { describe, it } from 'node:test';
import { decodeModel } from '../../../formats/onnx/decode.ts';
import { guardTime } from '../../support/drivers/guard-time.ts';
import { pressFailure } from '../../support/press-failure.ts';

/** Field `number` of a message, with `content` behind its length. */
function field(number: number, content: Uint8Array): Buffer {
  return Buffer.concat([varint(8 * number + 2), varint(content.length), content]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}

/** `count` fields of a graph or node, each empty. */
const empty = (number: number, count: number) => Buffer.alloc(2 * count, field(number, Buffer.alloc(0)));
const graph = (content: Uint8Array) => field(7, content);

/** A million numbers in a list of one field, each of a byte. */
const LIST = Buffer.alloc(1_000_000);

test('integers of any length are read', () => {
  const version = (bytes: readonly number[]) =>
    decodeModel(Buffer.concat([Buffer.from([8, ...bytes]), graph(Buffer.alloc(0))]), 'm.onnx').irVersion;
  assert.equal(version([10]), 10);
  assert.equal(version([0xff, 0xff, 0xff, 0x7f]), 2 ** 28 - 1);
  assert.equal(version([0x80, 0x80, 0x80, 0x80, 0x01]), 2 ** 28);
  assert.equal(version([...Array(9).fill(0xff), 0x01]), -1);
});

/** Of the lists, types are missing: what counts is that they were read. */
const BOMBS: readonly (readonly [what: string, file: () => Buffer, expected: (error: unknown) => true])[] = [
  [
    'a shape of a million dimensions',
    () => graph(field(5, field(1, LIST))),
    pressFailure('unsupported', /type of elements, got 0$/),
  ],
  [
    'an attribute of a million numbers',
    () => graph(field(1, field(5, field(8, LIST)))),
    pressFailure('unsupported', /type of attribute, got 0$/),
  ],
  [
    'a million nodes',
    () => graph(empty(1, 1_000_000)),
    pressFailure('invalid-input', /^m\.onnx: graph: more than 500000 of node$/),
  ],
  [
    'more fields than any graph has',
    () => graph(field(1, empty(1, 7_000_000))),
    pressFailure('invalid-input', /more than 6000000 fields in the file$/),
  ],
];

describe('a graph is refused in time for', () => {
  for (const [what, file, expected] of BOMBS) {
    it(what, () => {
      const bytes = file();
      const assertLinear = guardTime();
      assert.throws(() => decodeModel(bytes, 'm.onnx'), expected);
      assertLinear();
    });
  }
});

describe('a graph is refused for what none of ours has', () => {
  const cases: readonly (readonly [what: string, file: Uint8Array, expected: (error: unknown) => true])[] = [
    [
      'training information',
      field(20, Buffer.alloc(0)),
      unread('graphs with training information are not read'),
    ],
    ['functions', field(25, Buffer.alloc(0)), unread('graphs with functions are not read')],
    [
      'sparse initializers',
      graph(field(15, Buffer.alloc(0))),
      unread('graph: graphs with sparse initializers are not read'),
    ],
    [
      'weights that are not raw',
      graph(field(5, Buffer.concat([field(8, Buffer.from('w')), field(4, Buffer.alloc(4))]))),
      unread('initializer "w": only raw data is read'),
    ],
    [
      'an attribute given twice',
      graph(field(1, Buffer.concat([attribute('axis'), attribute('axis')]))),
      pressFailure('invalid-input', /^m\.onnx: node "": attribute axis given twice$/),
    ],
  ];

  for (const [what, file, expected] of cases) {
    it(what, () => {
      assert.throws(() => decodeModel(file, 'm.onnx'), expected);
    });
  }

  /** In a node, an integer of 0. */
  function attribute(name: string): Buffer {
    return field(5, Buffer.concat([field(1, Buffer.from(name)), Buffer.from([8 * 3, 0, 0xa0, 1, 2])]));
  }

  function unread(message: string) {
    return pressFailure('unsupported', new RegExp(`^m\\.onnx: ${message}$`));
  }
});
