import type { PassContext } from '../../passes/pass.ts';
import { regression } from '../algebra/regression.ts';
import type { TargetOptions } from './target-options.ts';

/** What the pipeline lends to passes. */
export function passContext({
  threads,
  progress,
  signal,
}: Pick<TargetOptions, 'threads' | 'progress' | 'signal'>): PassContext {
  return { regress: regression(threads), progress, signal };
}
