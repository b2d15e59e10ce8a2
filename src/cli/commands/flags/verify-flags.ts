import type { Engine } from '../../../pipeline/engines/index.ts';
import { parseNumber } from '../../arguments.ts';
import { ScopedOption } from '../../scoped-option.ts';
import type { RuntimeFlags } from './runtime-flags.ts';

/** The options of `verify`, as commander parses them. */
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

/** The limit by which an artifact passes. */
export function maxKldOption(): ScopedOption {
  return new ScopedOption(
    '--max-kld <x>',
    'largest mean KLD that passes, in nats per token; default: by the coarsest scheme, no limit below 5 bits or with pruned neurons',
  ).argParser(parseNumber(0));
}
