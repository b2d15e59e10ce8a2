import type { Engine } from '../../../pipeline/engines/index.ts';
import type { RuntimeFlags } from './runtime-flags.ts';

/** What `verify` is asked for, as commander hands it over. */
export interface VerifyFlags extends RuntimeFlags {
  readonly against: string;
  readonly statistics?: string;
  readonly adapter?: string[];
  readonly text?: string[];
  readonly tokens: number;
  readonly maxKld?: number;
  readonly engine: Exclude<Engine, 'webgpu'>;
  readonly device: 'cpu' | 'webgpu';
  readonly report?: string[];
  readonly force?: boolean;
}
