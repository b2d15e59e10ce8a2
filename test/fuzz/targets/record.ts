import assert from 'node:assert/strict';
import { decodeUtf8 } from '../../../src/io/text-file.ts';
import { encodePart, type PartRecord, parsePart, recordDigest } from '../../../src/pipeline/parts/record.ts';
import { encodeManifest, type Manifest } from '../../../src/pipeline/record/manifest.ts';
import { parseManifest } from '../../../src/pipeline/record/manifest-reader.ts';
import type { Dice } from '../../support/builders/dice.ts';
import { mutateJson } from '../mutate/json.ts';
import type { Files, Mutation, Target } from '../target.ts';

const [MANIFEST, PART] = ['plmpress.json', 'model-part-1-of-2.json'];
const SHA256 = 'ab'.repeat(32);
const CONTENT = { bytes: 100, sha256: SHA256 };
const ERROR = { relativeRms: 0.01, maxAbs: 0.5 };
const SOURCE = {
  format: 'safetensors',
  name: 'PLM',
  origin: { repository: 'a/b', revision: 'cd'.repeat(20) },
  files: [{ name: 'model.safetensors', ...CONTENT }],
};
const TARGET = {
  target: 'gguf:q4_k_m',
  options: { recipe: 'q4_k_m', pure: false, 'tensor-type': ['a=b'] },
  passes: [],
};

const RECORD: Manifest = {
  schemaVersion: 1,
  tool: { name: 'plmpress', version: '1.0.0' },
  files: [{ path: 'onnx/model.onnx', ...CONTENT }],
  artifacts: [
    {
      ...TARGET,
      version: '1.0.0',
      source: SOURCE,
      passes: ['fold-norms'],
      files: ['onnx/model.onnx'],
      changes: [{ pass: 'x', subject: 'y', from: 'a', to: 'b', reason: 'c', figures: { d: 1.5 } }],
      fallbacks: [{ tensor: 'a', wanted: 'Q4_K', used: 'Q8_0', reason: 'b' }] as unknown as [],
      tensors: [{ name: 'a', source: 'b', scheme: 'Q4_K', shape: [2, 3], ...CONTENT, error: ERROR }],
      verification: { tokens: 10, meanKld: 0.1, top1: 0.9, texts: [SHA256] },
    },
  ],
};

const PART_RECORD: PartRecord = {
  schema: 'plmpress-part',
  schemaVersion: 1,
  part: { number: 1, of: 2 },
  job: { version: '1.0.0', source: SOURCE, targets: [TARGET], plan: SHA256 },
  tensors: [{ file: 'a.gguf', name: 'b', sha256: SHA256, error: ERROR }],
};

/** The record of an output folder, and that of a part of a conversion. */
export const RECORD_TARGET: Target = {
  name: 'record',
  cases: 50_000,
  failures: ['verification'],
  async setUp() {
    return {
      seeds: [new Map([[MANIFEST, encodeManifest(RECORD)]]), new Map([[PART, encodePart(PART_RECORD)]])],
      mutatorOf: (name) => (name === PART ? mutatePart : mutateJson),
      open,
    };
  },
};

/** Its digest mostly follows: whoever forges a record can compute it. */
function mutatePart(bytes: Uint8Array, dice: Dice): Mutation | undefined {
  const mutation = mutateJson(bytes, dice);
  if (mutation === undefined || dice.chance(0.1)) return mutation;
  try {
    const record = JSON.parse(Buffer.from(mutation.bytes).toString());
    const signed = { ...record, sha256: recordDigest(record) };
    return { bytes: Buffer.from(JSON.stringify(signed)), change: `${mutation.change}, signed` };
  } catch {
    return mutation;
  }
}

async function open(files: Files): Promise<void> {
  const [name = MANIFEST] = files.keys();
  const text = decodeUtf8(files.get(name) ?? new Uint8Array(), name);
  if (name === PART) {
    const part = parsePart(text, name);
    assert.deepEqual(encodePart(parsePart(Buffer.from(encodePart(part)).toString(), name)), encodePart(part));
    return;
  }
  const manifest = parseManifest(text);
  for (const { path } of manifest.files) {
    if (path.split('/').includes('..') || path.startsWith('/')) throw new Error(`lists ${path}`);
  }
  const encoded = encodeManifest(manifest);
  assert.deepEqual(encodeManifest(parseManifest(Buffer.from(encoded).toString())), encoded);
}
