import {
  type Attribute,
  ELEMENT_TYPES,
  type ElementType,
  type Initializer,
  isExternal,
  type Node,
  type OnnxModel,
  type ValueInfo,
} from '../../src/onnx/graph.ts';
import { onnx } from './proto.ts';

const { AttributeType } = onnx.AttributeProto;

/**
 * What protobuf messages may hold at most, by its specification. Weights lie in files of their own, so none
 * comes near.
 */
const MAX_MESSAGE_BYTES = 2 ** 31 - 1;

/** The bytes of a `.onnx` file. The same model gives the same bytes. */
export function encodeModel(model: OnnxModel): Uint8Array {
  const { graph } = model;
  const message = onnx.ModelProto.create({
    irVersion: model.irVersion,
    producerName: model.producerName,
    producerVersion: model.producerVersion,
    opsetImport: Object.entries(model.opsets).map(([domain, version]) => ({ domain, version })),
    metadataProps: Object.entries(model.metadata).map(([key, value]) => ({ key, value })),
    graph: {
      name: graph.name,
      input: graph.inputs.map(encodeValue),
      output: graph.outputs.map(encodeValue),
      initializer: graph.initializers.map(encodeInitializer),
      node: graph.nodes.map(encodeNode),
    },
  });
  const bytes = onnx.ModelProto.encode(message).finish();
  if (bytes.length > MAX_MESSAGE_BYTES) throw new Error(`a graph of ${bytes.length} bytes`);
  return bytes;
}

function encodeValue({ name, type, shape }: ValueInfo) {
  const dim = shape?.map((size) => (typeof size === 'string' ? { dimParam: size } : { dimValue: size }));
  const tensorType = { elemType: codeOf(type), ...(dim && { shape: { dim } }) };
  return { name, type: { tensorType } };
}

function encodeInitializer({ name, type, shape, data }: Initializer) {
  const head = { name, dataType: codeOf(type), dims: [...shape] };
  if (!isExternal(data)) return { ...head, rawData: data };
  const { location, offset, length } = data;
  return {
    ...head,
    dataLocation: onnx.TensorProto.DataLocation.EXTERNAL,
    externalData: Object.entries({ location, offset, length }).map(([key, value]) => ({
      key,
      value: String(value),
    })),
  };
}

function encodeNode({ name, opType, domain, inputs, outputs, attributes }: Node) {
  return {
    name,
    opType,
    input: [...inputs],
    output: [...outputs],
    ...(domain !== '' && { domain }),
    attribute: Object.entries(attributes).map(([attribute, value]) => encodeAttribute(attribute, value)),
  };
}

function encodeAttribute(name: string, { type, value }: Attribute) {
  switch (type) {
    case 'int':
      return { name, type: AttributeType.INT, i: value };
    case 'float':
      return { name, type: AttributeType.FLOAT, f: value };
    case 'ints':
      return { name, type: AttributeType.INTS, ints: [...value] };
  }
}

function codeOf(type: ElementType): number {
  return ELEMENT_TYPES[type].code;
}
