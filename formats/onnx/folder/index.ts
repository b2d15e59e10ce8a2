import type { Model } from '../../../src/core/model.ts';
import { genaiConfigText, genaiObstacle } from './genai-config.ts';
import { generationConfigText } from './generation-config.ts';
import type { GraphFile } from './graph-file.ts';
import { plmConfigText } from './plm-config.ts';
import { publishableConfig } from './source-config.ts';
import { tokenizerConfigText } from './tokenizer-config.ts';
import { tokenizerJsonText } from './tokenizer-json.ts';
import { transformersConfigText } from './transformers-config.ts';

export interface CompanionFile {
  /** Relative to the folder. */
  readonly name: string;
  readonly text: string;
}

export interface CompanionFiles {
  readonly files: readonly CompanionFile[];
  /** What could not be written, one line each, for the person who converts. */
  readonly notes: readonly string[];
}

/**
 * The files beside the graphs of an ONNX folder that make transformers.js and onnxruntime-genai load it as it
 * is. There is at least one graph; the first is the one that both load by default. plm_config.json is the
 * source's config.json, or one made of the model's geometry where the source has none.
 */
export function companionFiles(model: Model, graphs: readonly GraphFile[]): CompanionFiles {
  const [first] = graphs;
  const obstacle = genaiObstacle(model, first!);
  const files: CompanionFile[] = [
    { name: 'config.json', text: transformersConfigText(model, graphs) },
    { name: 'generation_config.json', text: generationConfigText(model) },
    { name: 'plm_config.json', text: sourceConfigText(model) },
    { name: 'tokenizer.json', text: tokenizerJsonText(model.tokenizer) },
    { name: 'tokenizer_config.json', text: tokenizerConfigText(model) },
  ];
  if (obstacle === undefined) files.push({ name: 'genai_config.json', text: genaiConfigText(model, first!) });
  return { files, notes: obstacle === undefined ? [] : [`no genai_config.json: ${obstacle}`] };
}

function sourceConfigText(model: Model): string {
  return model.sourceConfig === undefined ? plmConfigText(model) : publishableConfig(model.sourceConfig);
}
