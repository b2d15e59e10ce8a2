import { BundleError } from './bundle-error.ts';
import type { CreateEngine } from './engine.ts';

export const createEngine: CreateEngine = async () => {
  throw new BundleError('unsupported', 'no engine yet');
};
