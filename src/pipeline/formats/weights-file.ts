import { CONTAINERS } from '../../../formats/hf/container.ts';

/** Whether a file holds weights of a checkpoint or a GGUF, as far as its name tells. */
export function isWeightsFile(name: string): boolean {
  return /\.gguf$/i.test(name) || CONTAINERS.some(({ extension }) => name.endsWith(extension));
}
