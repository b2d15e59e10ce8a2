import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { encodeModel } from '../../../formats/onnx/encode.ts';
import type { Attribute, Node } from '../../../src/onnx/graph.ts';
import { fixture } from '../paths.ts';

/** That of plm-tiny, in which the letters from a to z follow each other. */
export const VOCABULARY = 2048;
const WIDTH = 32;

/**
 * Writes the least language model that transformers.js runs. Each token is followed by the next: its row of a
 * table is multiplied by a second table, whose best column is the next token's. A cache grows, but is not
 * read.
 */
export function writeBigram(folder: string): void {
  const [rows, columns] = tables();
  const at = (name: string) => path.join(folder, 'onnx', name);
  mkdirSync(path.join(folder, 'onnx'), { recursive: true });
  writeFileSync(at('model_q4.onnx_data'), columns);
  writeFileSync(
    at('model_q4.onnx'),
    encodeModel({
      irVersion: 10,
      opsets: { '': 21 },
      producerName: 'test',
      producerVersion: '1',
      metadata: {},
      graph: {
        name: 'bigram',
        inputs: [
          { name: 'input_ids', type: 'int64', shape: ['batch_size', 'sequence_length'] },
          { name: 'attention_mask', type: 'int64', shape: ['batch_size', 'total_sequence_length'] },
          {
            name: 'past_key_values.0.key',
            type: 'float',
            shape: ['batch_size', 1, 'past_sequence_length', WIDTH],
          },
        ],
        outputs: [
          { name: 'logits', type: 'float', shape: ['batch_size', 'sequence_length', VOCABULARY] },
          { name: 'present.0.key', type: 'float', shape: ['batch_size', 1, 'total_sequence_length', WIDTH] },
        ],
        initializers: [
          { name: 'rows', type: 'float', shape: [VOCABULARY, WIDTH], data: rows },
          {
            name: 'columns',
            type: 'float',
            shape: [WIDTH, VOCABULARY],
            data: { location: 'model_q4.onnx_data', offset: 0, length: columns.length },
          },
          { name: 'heads', type: 'int64', shape: [1], data: new Uint8Array(BigInt64Array.of(1n).buffer) },
        ],
        nodes: [
          node('Gather', 'embed', ['rows', 'input_ids'], 'states'),
          node('MatMul', 'head', ['states', 'columns'], 'logits'),
          node('Unsqueeze', 'as_head', ['states', 'heads'], 'key'),
          node('Concat', 'grow', ['past_key_values.0.key', 'key'], 'present.0.key', {
            axis: { type: 'int', value: 2 },
          }),
        ],
      },
    }),
  );

  const read = (file: string) => JSON.parse(readFileSync(fixture('plm-tiny', file), 'utf8'));
  const write = (file: string, json: unknown) => writeFileSync(path.join(folder, file), JSON.stringify(json));
  write('config.json', {
    ...read('config.json'),
    // The closest kin that transformers.js knows; what the graph takes, it asks the graph.
    model_type: 'deepseek_v3',
    'transformers.js_config': { use_external_data_format: { 'model_q4.onnx': 1 } },
  });
  write('generation_config.json', read('generation_config.json'));
  for (const file of ['tokenizer.json', 'tokenizer_config.json'])
    copyFileSync(fixture('plm-tiny', file), path.join(folder, file));
}

function node(
  opType: string,
  name: string,
  inputs: string[],
  output: string,
  attributes: Record<string, Attribute> = {},
): Node {
  return { name, opType, domain: '', inputs, outputs: [output], attributes };
}

/** Vectors of signs: one's product with itself is the width, with another it is less. */
function tables(): [rows: Uint8Array, columns: Uint8Array] {
  const rows = new Float32Array(VOCABULARY * WIDTH);
  const columns = new Float32Array(WIDTH * VOCABULARY);
  for (let token = 0; token < VOCABULARY; token++) {
    for (let i = 0; i < WIDTH; i++) {
      const sign = (Math.imul(token + 1, 0x9e3779b1) ^ Math.imul(token, token)) & (1 << i) ? 1 : -1;
      rows[token * WIDTH + i] = sign;
      columns[i * VOCABULARY + ((token + 1) % VOCABULARY)] = sign;
    }
  }
  return [new Uint8Array(rows.buffer), new Uint8Array(columns.buffer)];
}
