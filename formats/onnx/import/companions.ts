import { PressError } from '../../../src/core/errors.ts';
import { parseJson } from '../../../src/core/json/json.ts';
import type { JsonValue } from '../../../src/core/json/json-value.ts';
import type { Model } from '../../../src/core/model.ts';
import type { Json } from '../folder/json-text.ts';
import { geometryFields } from '../folder/plm-config.ts';
import { endTokenIds, tokenIdFields } from '../folder/token-ids.ts';
import type { OnnxArtifact } from './open.ts';

type Members = { readonly [key: string]: Json | undefined };

/**
 * Compares what runtimes read in the files beside a graph with `model`: the importer reads the graph,
 * transformers.js and onnxruntime-genai read these. A missing file or member is ignored.
 * @throws PressError verification by the first member that differs.
 */
export async function checkCompanions(artifact: OnnxArtifact, model: Model): Promise<void> {
  const { config, tokenizer } = model;
  // num_key_value_heads describes the caches.
  const { num_key_value_heads: _, ...geometry } = geometryFields(config);
  const tokens = tokenIdFields(tokenizer);
  const genai = { context_length: config.maxPositionEmbeddings, eos_token_id: endTokenIds(tokenizer) };
  await checkFile(artifact, 'config.json', [], { ...geometry, ...tokens });
  await checkFile(artifact, 'generation_config.json', [], tokens);
  await checkFile(artifact, 'genai_config.json', ['model'], genai);
}

async function checkFile(
  artifact: OnnxArtifact,
  file: string,
  path: readonly string[],
  expected: Members,
): Promise<void> {
  const text = await artifact.readBeside(file);
  if (text === undefined) return;
  const object = path.reduce((field, key) => field.at(key), parseJson(text, file));
  for (const [key, value] of Object.entries(expected)) {
    const field = object.at(key);
    if (field.value === undefined || value === undefined) continue;
    if (comparable(key, field.value) === comparable(key, value)) continue;
    const what = 'the file describes another model than the source';
    const differs = { file, field: field.field, what, got: field.value, expected: JSON.stringify(value) };
    throw new PressError('verification', differs);
  }
}

/**
 * Tokens that end a text come in any order, one alone or as a list. Numbers are as f32 holds them, as GGUF
 * does.
 */
function comparable(key: string, value: Json | JsonValue): string {
  const items = [value].flat().map((item) => (typeof item === 'number' ? Math.fround(item) : item));
  return JSON.stringify(key === 'eos_token_id' ? items.sort() : items);
}
