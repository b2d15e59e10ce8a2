import { invalidInput, unsupported } from '../../src/core/errors.ts';
import {
  type Attribute,
  type Dimension,
  DOMAINS,
  type Domain,
  ELEMENT_TYPES,
  type ElementType,
  type ExternalData,
  type Graph,
  type Initializer,
  type Node,
  type OnnxModel,
  type ValueInfo,
} from '../../src/onnx/graph.ts';
import { type WireField, WireMessage } from './wire.ts';

/**
 * Nodes, and likewise initializers, inputs and outputs. A graph of 512 layers with 64 heads has 160,000
 * nodes.
 */
const MAX_MEMBERS = 500_000;

/**
 * Calls the handler of each field; fields without one are skipped: documentation, and what later versions
 * add.
 */
function read(message: WireMessage, handlers: Readonly<Record<number, (field: WireField) => void>>): void {
  for (const field of message.fields()) handlers[field.number]?.(field);
}

/**
 * Reads the bytes of a `.onnx` file by the numbers of onnx.proto, independently of what writes them.
 * @throws PressError invalid-input for messages that are malformed or lack what they need, unsupported for
 * what no graph of ours has: functions, training, sparse or other tensors than those of `ELEMENT_TYPES`.
 */
export function decodeModel(bytes: Uint8Array, file: string): OnnxModel {
  const refuse = (what: string) => () => {
    throw unsupported({ file, what: `graphs with ${what} are not read` });
  };
  const opsets: Partial<Record<Domain, number>> = {};
  const metadata: Record<string, string> = Object.create(null);
  let [irVersion, producerName, producerVersion] = [0, '', ''];
  let graph: Graph | undefined;
  read(new WireMessage(bytes, file, 'ModelProto'), {
    1: (field) => {
      irVersion = field.integer();
    },
    2: (field) => {
      producerName = field.text();
    },
    3: (field) => {
      producerVersion = field.text();
    },
    7: (field) => {
      if (graph !== undefined) throw invalidInput({ file, field: 'graph', what: 'given twice' });
      graph = decodeGraph(field.message('graph'), file);
    },
    8: (field) => {
      const { domain, version } = decodeOpset(field.message('opset_import'), file);
      if (opsets[domain] !== undefined) {
        throw invalidInput({ file, field: 'opset_import', what: `domain "${domain}" given twice` });
      }
      opsets[domain] = version;
    },
    14: (field) => {
      const { key, value } = decodeEntry(field.message('metadata_props'));
      metadata[key] = value;
    },
    20: refuse('training information'),
    25: refuse('functions'),
  });
  if (graph === undefined) throw invalidInput({ file, field: 'graph', what: 'missing' });
  return { irVersion, opsets, producerName, producerVersion, metadata, graph };
}

function decodeOpset(message: WireMessage, file: string): { domain: Domain; version: number } {
  let [domain, version] = ['', 0];
  read(message, {
    1: (field) => {
      domain = field.text();
    },
    2: (field) => {
      version = field.integer();
    },
  });
  return { domain: domainOf(domain, file, 'opset_import'), version };
}

function domainOf(name: string, file: string, field: string): Domain {
  // Both spell the domain of ONNX itself.
  const domain = name === 'ai.onnx' ? '' : name;
  const known = DOMAINS.find((other) => other === domain);
  if (known === undefined) {
    const expected = DOMAINS.map((other) => JSON.stringify(other)).join(', ');
    throw unsupported({ file, field, what: 'domain of operators', got: name, expected });
  }
  return known;
}

function decodeEntry(message: WireMessage): { key: string; value: string } {
  let [key, value] = ['', ''];
  read(message, {
    1: (field) => {
      key = field.text();
    },
    2: (field) => {
      value = field.text();
    },
  });
  return { key, value };
}

function decodeGraph(message: WireMessage, file: string): Graph {
  let name = '';
  const nodes: Node[] = [];
  const initializers: Initializer[] = [];
  const inputs: ValueInfo[] = [];
  const outputs: ValueInfo[] = [];
  const add = <T>(list: T[], what: string, decode: (message: WireMessage, file: string) => T) => {
    return (field: WireField) => {
      if (list.length === MAX_MEMBERS) {
        throw invalidInput({ file, field: 'graph', what: `more than ${MAX_MEMBERS} of ${what}` });
      }
      list.push(decode(field.message(`${what}[${list.length}]`), file));
    };
  };
  read(message, {
    1: add(nodes, 'node', decodeNode),
    2: (field) => {
      name = field.text();
    },
    5: add(initializers, 'initializer', decodeInitializer),
    11: add(inputs, 'input', decodeValue),
    12: add(outputs, 'output', decodeValue),
    15: () => {
      throw unsupported({ file, field: 'graph', what: 'graphs with sparse initializers are not read' });
    },
  });
  return { name, inputs, outputs, initializers, nodes };
}

function decodeNode(message: WireMessage, file: string): Node {
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes: Record<string, Attribute> = Object.create(null);
  let [name, opType, domain] = ['', '', ''];
  read(message, {
    1: (field) => inputs.push(field.text()),
    2: (field) => outputs.push(field.text()),
    3: (field) => {
      name = field.text();
    },
    4: (field) => {
      opType = field.text();
    },
    5: (field) => {
      const [key, attribute] = decodeAttribute(field.message('attribute'), file);
      if (attributes[key] !== undefined) {
        throw invalidInput({ file, field: `node "${name}"`, what: `attribute ${key} given twice` });
      }
      attributes[key] = attribute;
    },
    7: (field) => {
      domain = field.text();
    },
  });
  const field = `node ${JSON.stringify(name)}`;
  return { name, opType, domain: domainOf(domain, file, field), inputs, outputs, attributes };
}

/** `AttributeProto.AttributeType`. */
const ATTRIBUTE_KINDS: Readonly<Record<number, Attribute['type']>> = { 1: 'float', 2: 'int', 7: 'ints' };

function decodeAttribute(message: WireMessage, file: string): [string, Attribute] {
  let [name, type] = ['', 0];
  const values: { float?: number; int?: number; ints: number[] } = { ints: [] };
  read(message, {
    1: (field) => {
      name = field.text();
    },
    2: (field) => {
      values.float = field.float();
    },
    3: (field) => {
      values.int = field.integer();
    },
    8: (field) => {
      values.ints = values.ints.concat(field.integers());
    },
    20: (field) => {
      type = field.integer();
    },
  });
  const kind = ATTRIBUTE_KINDS[type];
  if (kind === undefined) {
    throw unsupported({
      file,
      field: `attribute ${JSON.stringify(name)}`,
      what: 'type of attribute',
      got: type,
    });
  }
  if (kind === 'ints') return [name, { type: kind, value: values.ints }];
  return [name, { type: kind, value: values[kind] ?? 0 }];
}

/** `TensorProto.DataLocation.EXTERNAL`. */
const EXTERNAL = 1;

function decodeInitializer(message: WireMessage, file: string): Initializer {
  let shape: number[] = [];
  const external = new Map<string, string>();
  let [name, code, location] = ['', 0, 0];
  let raw: Uint8Array | undefined;
  const refuse = () => {
    throw unsupported({ file, field: `initializer ${JSON.stringify(name)}`, what: 'only raw data is read' });
  };
  read(message, {
    1: (field) => {
      shape = shape.concat(field.integers());
    },
    2: (field) => {
      code = field.integer();
    },
    ...Object.fromEntries([3, 4, 5, 6, 7, 10, 11].map((number) => [number, refuse])),
    8: (field) => {
      name = field.text();
    },
    9: (field) => {
      raw = field.bytes();
    },
    13: (field) => {
      const { key, value } = decodeEntry(field.message('external_data'));
      external.set(key, value);
    },
    14: (field) => {
      location = field.integer();
    },
  });
  const field = `initializer ${JSON.stringify(name)}`;
  const type = elementType(code, file, field);
  const data = location === EXTERNAL ? externalData(external, file, field) : (raw ?? new Uint8Array());
  return { name, type, shape, data };
}

function externalData(entries: ReadonlyMap<string, string>, file: string, field: string): ExternalData {
  const number = (key: string): number => {
    const text = entries.get(key) ?? '';
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
      throw invalidInput({
        file,
        field,
        what: `${key} of external data`,
        got: text,
        expected: 'a number of bytes',
      });
    }
    return value;
  };
  return { location: entries.get('location') ?? '', offset: number('offset'), length: number('length') };
}

function decodeValue(message: WireMessage, file: string): ValueInfo {
  let name = '';
  let type: ElementType | undefined;
  let shape: Dimension[] | undefined;
  const field = () => `value ${JSON.stringify(name)}`;
  read(message, {
    1: (value) => {
      name = value.text();
    },
    2: (value) =>
      read(value.message('type'), {
        1: (tensor) =>
          read(tensor.message('tensor_type'), {
            1: (code) => {
              type = elementType(code.integer(), file, field());
            },
            2: (dims) => {
              shape = decodeShape(dims.message('shape'));
            },
          }),
      }),
  });
  if (type === undefined) throw unsupported({ file, field: field(), what: 'is not a tensor' });
  return { name, type, shape };
}

function decodeShape(message: WireMessage): Dimension[] {
  const dimensions: Dimension[] = [];
  read(message, {
    1: (dimension) => {
      let size: Dimension = '';
      read(dimension.message('dim'), {
        1: (value) => {
          size = value.integer();
        },
        2: (value) => {
          size = value.text();
        },
      });
      dimensions.push(size);
    },
  });
  return dimensions;
}

function elementType(code: number, file: string, field: string): ElementType {
  const found = Object.entries(ELEMENT_TYPES).find(([, type]) => type.code === code);
  if (found === undefined) throw unsupported({ file, field, what: 'type of elements', got: code });
  return found[0] as ElementType;
}
