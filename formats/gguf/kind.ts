import { PressError } from '../../src/core/errors.ts';
import type { InputFile } from '../../src/io/input-file.ts';
import { Fields } from './fields.ts';
import { readGguf } from './reader.ts';

/** Architectures of files that come with a model: projectors of images, control vectors, importances. */
const COMPANIONS = ['clip', 'controlvector', 'imatrix'];

/**
 * Whether a GGUF holds a model of its own, not something for one: an importance matrix, a LoRA adapter, a projector of images, a vocabulary. Its
 * header decides, not its name. What cannot be read counts as a model, whose importer then says what is wrong.
 */
export async function holdsModel(file: InputFile): Promise<boolean> {
  try {
    const fields = new Fields(file.name, (await readGguf(file)).metadata);
    const type = fields.optional('general.type', 'string') ?? 'model';
    const architecture = fields.optional('general.architecture', 'string') ?? '';
    return type === 'model' && !COMPANIONS.includes(architecture);
  } catch (error) {
    if (error instanceof PressError) return true;
    throw error;
  }
}
