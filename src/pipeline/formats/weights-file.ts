import { CONTAINERS } from '../../../formats/hf/container.ts';

/** Whether the name of a file is that of weights of a checkpoint or of a GGUF. */
export function isWeightsFile(name: string): boolean {
  return /\.gguf$/i.test(name) || CONTAINERS.some(({ extension }) => name.endsWith(extension));
}
