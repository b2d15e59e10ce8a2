import { readHfFolder } from '../../../formats/hf/import.ts';
import { closeModel } from '../../../src/core/model.ts';
import { MemoryFolder } from '../memory-folder.ts';
import { mutateJson } from '../mutate/json.ts';
import { mutateSafetensors } from '../mutate/safetensors.ts';
import { mutateText } from '../mutate/text.ts';
import { checkpointFiles } from '../small-model.ts';
import type { Files, Mutator, Target } from '../target.ts';
import { useModel } from '../use-model.ts';

/** A folder of Hugging Face: config, index, safetensors, tokenizer and card. */
export const CHECKPOINT: Target = {
  name: 'checkpoint',
  cases: 5000,
  async setUp() {
    return { seeds: [checkpointFiles(), checkpointFiles(2)], mutatorOf, open: openCheckpoint };
  },
};

function mutatorOf(name: string): Mutator {
  if (name.endsWith('.safetensors')) return mutateSafetensors;
  return name.endsWith('.md') ? mutateText : mutateJson;
}

export async function openCheckpoint(files: Files): Promise<void> {
  const memory = new MemoryFolder(files);
  await memory.whole(async () => {
    const model = await readHfFolder(memory.folder());
    try {
      await useModel(model);
    } finally {
      await closeModel(model);
    }
  });
}
