import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { env } from '@huggingface/transformers';
import { repoRoot } from '../paths.ts';

env.allowRemoteModels = false;

export { AutoConfig, AutoTokenizer, pipeline } from '@huggingface/transformers';

/**
 * Names of the caches that transformers.js gives to a session and takes from it; the package does not export
 * it.
 */
export async function cacheNames(config: object, prefix: 'past_key_values' | 'present'): Promise<string[]> {
  const file = path.join(repoRoot, 'node_modules/@huggingface/transformers/src/configs.js');
  const { getCacheNames } = await import(pathToFileURL(file).href);
  return [...getCacheNames(config, { prefix })];
}
