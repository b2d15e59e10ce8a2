import { PressError } from '../../../src/core/errors.ts';
import type { InputFile } from '../../../src/io/input-file.ts';
import { Fields } from './fields.ts';
import { readGguf } from './reader.ts';

/** Architectures of files that come with a model: projectors of images, control vectors, importances. */
const COMPANIONS = ['clip', 'controlvector', 'imatrix'];

/**
 * Whether a GGUF holds a model of its own, not something for one: an importance matrix, a LoRA adapter, a
 * projector of images, a vocabulary. Its header decides, not its name. What cannot be read counts as a model,
 * whose importer then says what is wrong.
 */
export async function holdsModel(file: InputFile): Promise<boolean> {
  try {
    const { metadata, tensors } = await readGguf(file);
    const fields = new Fields(file.name, metadata);
    const type = fields.optional('general.type', 'string') ?? 'model';
    const architecture = fields.optional('general.architecture', 'string') ?? '';
    // The first shard of a split model may hold metadata alone.
    const isEmpty = tensors.length === 0 && !fields.has('split.count');
    return type === 'model' && !COMPANIONS.includes(architecture) && !isEmpty;
  } catch (error) {
    if (error instanceof PressError) return true;
    throw error;
  }
}
