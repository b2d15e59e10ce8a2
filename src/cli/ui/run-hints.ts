import path from 'node:path';
import type { GgufArchitecture } from '../../../formats/gguf/architecture.ts';
import { shellWord } from '../../core/text/format.ts';
import { targetFormat } from '../../pipeline/formats/index.ts';
import type { Target } from '../../pipeline/planning/planned-target.ts';

/** llama.cpp's arch plm cannot run with flash attention, and its tools turn it on where it seems possible. */
function ggufHint(file: string, arch: GgufArchitecture): string {
  const command = `llama-cli -m ${shellWord(file)}`;
  if (arch === 'deepseek2') return `run it in llama.cpp: ${command}`;
  return `run it in llama.cpp with flash attention off: ${command} -fa off`;
}

/** How to run the first artifact of each format. */
export function runHints(targets: readonly Target[], output: string, arch: GgufArchitecture): string[] {
  const gguf = targets.find(({ plan }) => targetFormat(plan.target) === 'gguf');
  const graph = targets.find((target) => target.graph !== undefined)?.graph;
  const page = targets
    .flatMap(({ plan }) => plan.files)
    .find(({ name }) => name.endsWith('/index.html'))?.name;
  return [
    ...(page === undefined
      ? []
      : [`run it in a browser: plmpress serve ${shellWord(path.join(output, path.dirname(page)))}`]),
    ...(gguf === undefined ? [] : [ggufHint(path.join(output, gguf.plan.files[0]!.name), arch)]),
    ...(graph === undefined
      ? []
      : [
          `run it in transformers.js: pipeline('text-generation', ${JSON.stringify(output)}, { dtype: '${graph.dtype}' })`,
        ]),
  ];
}
